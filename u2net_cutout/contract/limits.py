"""Upper bounds of a request, a picture and a response, from the archive's ``model-config.yaml``.

docs/robustness.md lists the defaults, and the most memory that a worker takes under them.
"""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields

from u2net_cutout.contract.errors import ResponseTooLarge


@dataclass(frozen=True)
class Limits:
    """Upper bounds, each inclusive. Those with a default may be left out of a configuration."""

    max_file_bytes: int
    """Size of the picture as a file."""
    max_pixels: int
    """Width times height of the picture."""
    max_response_bytes: int
    """Size of the response's body; TorchServe's own ``max_response_size`` must not be smaller."""
    max_side: int = 65_536
    """Width, and height, of the picture; each row has its price in memory."""
    max_parts: int = 200_000
    """Segments, chunks, strips, tags or blocks of a file, as far as it is read."""
    max_frames: int = 10_000
    """Frames of a WebP, AVIF or HEIC animation, whose decoders list them all to read one."""
    max_metadata_bytes: int = 16 << 20
    """Profile, EXIF, XMP and texts of a picture, in all."""
    max_decoding_bytes: int = 1280 << 20
    """Memory that decoding one picture may take, the picture included."""
    max_fields: int = 64
    """Fields of a form, or keys of a JSON object."""
    max_field_bytes: int = 4096
    """Length of the value of an option; what a part of a form may take besides its content."""
    max_items: int = 8
    """Pictures in one request of KServe's protocols; all are decoded before the network runs."""

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> "Limits":
        """Read the ``limits`` section of a model configuration.

        Raises:
            ValueError: the section is missing, or has other keys or values than those above.
        """
        section = config.get("limits")
        names = {field.name for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        if not isinstance(section, Mapping) or not needed <= set(section) <= names:
            raise ValueError(
                f"model-config.yaml needs a section 'limits' with {sorted(needed)}, and may name "
                f"{sorted(names - needed)} there"
            )
        if not all(type(value) is int and value > 0 for value in section.values()):
            raise ValueError(f"limits must be whole numbers above 0, got {dict(section)}")
        return cls(**section)

    def as_dict(self) -> dict[str, int]:
        """Name and value of each limit."""
        return asdict(self)


def check_response_size(size: int, max_response_bytes: int) -> None:
    """Refuse a response of `size` bytes that TorchServe would not carry.

    TorchServe kills the worker over a response above its ``max_response_size``.

    Raises:
        ResponseTooLarge: it is over the limit.
    """
    if size > max_response_bytes:
        raise ResponseTooLarge(
            f"the response would have {size} bytes; the limit is {max_response_bytes}. Use "
            "format=png or webp instead of raw pixels, or a smaller size, such as size=4k"
        )
