"""Samples as their tags name them; whether they come out right stands in the matrix of depths."""

import pytest

from u2net_cutout.imaging.tiff_directory import Directory
from u2net_cutout.imaging.tiff_samples import Samples

Tags = dict[int, tuple[int, ...]]
RGB8: Tags = {258: (8, 8, 8), 262: (2,), 277: (3,)}


def samples(tags: Tags, little_endian: bool = True) -> Samples:
    """Return the samples of 8-bit RGB with other tags."""
    return Samples.of(Directory({**RGB8, **tags}, 0), little_endian)


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ({}, "8-bit RGB"),
        ({258: (32,), 339: (3,)}, "32-bit floating-point RGB"),
        ({258: (16,), 339: (2,)}, "16-bit signed RGB"),
        ({258: (64,), 339: (6,)}, "64-bit complex RGB"),
        ({258: (5, 6, 5)}, "5- and 6-bit RGB"),
        ({258: (16,), 262: (1,), 277: (2,), 338: (2,)}, "16-bit grey with alpha"),
        ({262: (5,), 258: (8,), 277: (5,), 338: (1,)}, "8-bit CMYK with premultiplied"),
        ({277: (5,), 258: (8,)}, "8-bit RGB with 5 channels"),
        ({284: (2,)}, "8-bit RGB in planes"),
        ({266: (2,)}, "8-bit RGB with the lowest bit first"),
        ({262: (6,)}, "8-bit YCbCr subsampled and uncompressed"),
        ({262: (5,), 258: (8,), 277: (4,), 332: (2,)}, "8-bit inks other than CMYK"),
        ({262: (40000,)}, "8-bit samples of photometric interpretation 40000"),
    ],
)
def test_samples_are_named(tags: Tags, name: str) -> None:
    assert str(samples(tags)).startswith(name)


@pytest.mark.parametrize(
    ("tags", "readable"),
    [
        ({}, True),
        ({258: (8,)}, True),
        ({258: (8, 8, 16)}, False),
        ({258: (8, 8), 277: (2,)}, False),
        ({258: (1,), 262: (0,), 277: (1,), 266: (2,)}, True),
        ({339: (1, 1, 2)}, False),
        ({339: (4, 4, 4)}, False),
        ({277: (4,), 258: (8,)}, True),
        ({277: (4,), 258: (8,), 338: (999,)}, True),
        ({277: (6,), 258: (8,), 338: (2, 0, 0)}, True),
        ({277: (7,), 258: (8,), 338: (2, 0, 0, 0)}, False),
        ({277: (5,), 258: (8,), 338: (0, 2)}, False),
        ({277: (5,), 258: (16,), 338: (2, 0)}, False),
        ({262: (6,), 530: (1, 1)}, True),
        ({262: (6,), 530: (2, 1)}, False),
        ({262: (6,), 530: (2, 2), 259: (8,)}, True),
        ({262: (1,), 277: (0,)}, True),
        ({277: (5,), 258: (8,)}, False),
        ({284: (2,)}, True),
        ({284: (2,), 277: (4,), 258: (8,), 338: (1,)}, False),
        ({284: (2,), 262: (1,), 277: (1,), 258: (4,)}, True),
        ({266: (2,)}, True),
        ({266: (2,), 258: (16,)}, False),
        ({262: (5,), 258: (8,), 277: (4,), 332: (1,)}, True),
        ({262: (5,), 258: (8,), 277: (4,), 332: (2,)}, False),
    ],
)
def test_only_samples_that_come_out_right_are_readable(tags: Tags, readable: bool) -> None:
    assert samples(tags).readable is readable


def test_the_byte_order_counts_where_pillow_knows_one() -> None:
    tags: Tags = {258: (12,), 262: (1,), 277: (1,)}

    assert samples(tags).readable
    assert not samples(tags, little_endian=False).readable
    assert str(samples(tags, little_endian=False)) == "12-bit grey in big-endian byte order"


@pytest.mark.parametrize(
    ("photometric", "channels"), [(2, 3), (5, 4), (6, 3), (8, 3), (9, 3), (10, 3), (32845, 3)]
)
def test_channels_are_named_where_their_number_is_unusual(photometric: int, channels: int) -> None:
    usual, unusual = (
        str(samples({258: (8,), 262: (photometric,), 277: (count,)}))
        for count in (channels, channels + 1)
    )

    assert "channels" not in usual
    assert "channel" in unusual or "alpha" in unusual
