"""Whether a file is whole and of its format, by its first and last bytes. Decodes nothing."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from u2net_cutout.contract.formats import OutputFormat

PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"
JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
ZIP_START, ZIP_DIRECTORY_END = b"PK\x03\x04", b"PK\x05\x06"
# The record that ends a zip without a comment.
ZIP_END_BYTES = 22
RIFF_HEADER_BYTES = 8


def fault_of(content: bytes, output_format: OutputFormat, pixels: int | None = None) -> str | None:
    """Return why a file is not a whole one of a format, other than `auto`; None if it is.

    Raw pixels have no marks: their length must be that of a matte or of RGBA of so many `pixels`,
    if these are known.
    """
    if not content:
        return "it is empty"
    if output_format is OutputFormat.RGBA:
        whole = pixels is None or len(content) in (pixels, 4 * pixels)
        return None if whole else f"it has {len(content)} bytes for {pixels} pixels"
    begins, ends = _MARKS[output_format]
    if not begins(content):
        return "it begins as another kind of file"
    return None if ends(content) else "it is cut short"


Check = Callable[[bytes], bool]
_MARKS: Mapping[OutputFormat, tuple[Check, Check]] = MappingProxyType(
    {
        OutputFormat.PNG: (
            lambda content: content.startswith(PNG_START),
            lambda content: content.endswith(PNG_END),
        ),
        OutputFormat.JPG: (
            lambda content: content.startswith(JPEG_START),
            lambda content: content.endswith(JPEG_END),
        ),
        OutputFormat.WEBP: (
            lambda content: content[:4] == b"RIFF" and content[8:12] == b"WEBP",
            lambda content: (
                len(content) >= RIFF_HEADER_BYTES + int.from_bytes(content[4:8], "little")
            ),
        ),
        OutputFormat.ZIP: (
            lambda content: content.startswith(ZIP_START),
            lambda content: content[-ZIP_END_BYTES:].startswith(ZIP_DIRECTORY_END),
        ),
    }
)
