"""What precedes the first image of a GIF. Format: GIF89a, CompuServe 1990."""

from collections.abc import Iterator
from io import BytesIO

from u2net_cutout.imaging.pixel_file import File, PixelFile

GIF_SIGNATURE = b"GIF8"
EXTENSION, IMAGE, END = b"!,;"
# The extension that says which colour is clear, in so many bytes.
CONTROL, CONTROL_BYTES = 0xF9, 4
NO_KIND = -1
HEADER_BYTES = 13
PALETTE_FLAG, PALETTE_BITS = 0x80, 0x07


def gif_blocks(data: File) -> Iterator[tuple[int, int]]:
    """Yield kind and place of each block before the first image, and of the image.

    The parts of an extension, of up to 255 bytes, are blocks of its kind, which is its label. The
    byte that it begins with, and each that belongs to nothing, is one of the kind -1.
    """
    at = palette_end(data)
    while at < len(data) and data[at] not in (IMAGE, END):
        yield NO_KIND, at
        if data[at] != EXTENSION:
            at += 1
            continue
        label = data[at + 1] if at + 1 < len(data) else NO_KIND
        at += 2
        while at < len(data) and data[at]:
            yield label, at
            at += data[at] + 1
        at += 1
    if at < len(data):
        yield IMAGE, at


def palette_end(data: File) -> int:
    """Return where a GIF's blocks begin."""
    has_palette = len(data) > HEADER_BYTES and data[10] & PALETTE_FLAG
    return HEADER_BYTES + (3 << (data[10] & PALETTE_BITS) + 1 if has_palette else 0)


def read_gif(data: File, _max_metadata_bytes: int) -> PixelFile:
    """Return a GIF in which nothing precedes the first image but palette and clear colour."""
    control, start = b"", len(data)
    for label, at in gif_blocks(data):
        if label == CONTROL and data[at] >= CONTROL_BYTES and at + CONTROL_BYTES < len(data):
            control = bytes(data[at + 1 : at + 1 + CONTROL_BYTES])
        elif label == IMAGE and data[at] == IMAGE:
            start = at
    extension = bytes([EXTENSION, CONTROL, CONTROL_BYTES, *control, 0]) if control else b""
    view = memoryview(data)
    return PixelFile(BytesIO(b"".join([view[: palette_end(data)], extension, view[start:]])))
