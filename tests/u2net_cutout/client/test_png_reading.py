import struct
import zlib

import pytest

from tests.u2net_cutout.client.failing_server import PNG, failing_server, picture
from u2net_cutout import BadResponse, connect, remove
from u2net_cutout.client.png_reading import read_png


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def claiming(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG of a size that its pixels don't have."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = (chunk(b"IHDR", header), *chunks, chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_png_is_read_in_the_mode_that_is_wanted() -> None:
    assert (read_png(PNG, "L").mode, read_png(PNG, "L", (4, 3)).size) == ("L", (4, 3))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        PNG[:42],
        PNG[:40] + b"xxxx" + PNG[44:],
        claiming(60_000, 60_000),
        claiming(4, 3),
        claiming(0, 0),
        claiming(4, 3, chunk(b"IDAT", b"no zlib")),
        claiming(4, 3, chunk(b"PLTE", b"x")),
    ],
)
def test_what_cant_be_decoded_is_an_error(content: bytes) -> None:
    with pytest.raises(BadResponse, match="can't be decoded"):
        read_png(content, "RGBA")


def test_another_size_is_an_error_before_it_is_decoded() -> None:
    with pytest.raises(BadResponse, match=r"\(9000, 9000\) pixels, not \(4, 3\)"):
        read_png(claiming(9000, 9000), "L", (4, 3))


@pytest.mark.parametrize("size", [(4, 3), (2000, 1000)])
def test_a_matte_of_another_size_is_no_local_cutout(size: tuple[int, int]) -> None:
    matte = picture("PNG", "L", (5, 5))
    said = (200, {"Content-Type": "image/png"}, matte)

    with (
        failing_server(said) as server,
        connect(server.url) as client,
        pytest.raises(BadResponse, match="pixels, not"),
    ):
        remove(picture("PNG", "RGB", size), client=client, composite=True)
