"""Samples as their tags name them; whether they come out right stands in the matrix of depths."""

import re
from itertools import product

import pytest

from tests.conftest import ROOT
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
        ({262: (5,), 258: (8,), 277: (5,), 338: (1,)}, "8-bit CMYK with premultiplied alpha"),
        ({262: (5,), 258: (8,), 277: (5,), 338: (0,)}, "8-bit CMYK with a further channel"),
        ({258: (8,), 277: (5,), 338: (0, 0)}, "8-bit RGB with 5 channels"),
        ({262: (3,), 258: (4,), 277: (1,)}, "4-bit palette"),
        ({262: (0,), 258: (4,), 277: (1,)}, "4-bit grey with 0 as white"),
        ({262: (8,)}, "8-bit CIE Lab"),
        ({262: (9,)}, "8-bit ICC Lab"),
        ({262: (10,)}, "8-bit ITU Lab"),
        ({262: (32844,), 277: (1,), 258: (8,)}, "8-bit LogL"),
        ({262: (32845,)}, "8-bit LogLuv"),
        ({339: (4,)}, "8-bit untyped RGB"),
        ({259: (6,)}, "8-bit YCbCr"),
        ({259: (7,)}, "8-bit RGB"),
        ({262: (5,), 258: (8,), 277: (4,)}, "8-bit CMYK"),
        ({277: (5,), 258: (8,)}, "8-bit RGB with 5 channels"),
        ({284: (2,)}, "8-bit RGB in planes"),
        ({266: (2,)}, "8-bit RGB with the lowest bit first"),
        ({262: (6,)}, "8-bit YCbCr subsampled and uncompressed"),
        ({262: (5,), 258: (8,), 277: (4,), 332: (2,)}, "8-bit inks other than CMYK"),
        ({262: (40000,)}, "8-bit samples of photometric interpretation 40000 with 3 channels"),
    ],
)
def test_samples_are_named(tags: Tags, name: str) -> None:
    assert str(samples(tags)) == name


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
        ({262: (5,), 258: (8,), 277: (6,), 338: (0, 0)}, True),
        ({262: (5,), 258: (8,), 277: (6,), 338: (2, 0)}, False),
        ({262: (5,), 258: (8,), 277: (7,), 338: (0, 0, 0)}, False),
        ({262: (1,), 258: (8,), 277: (3,), 338: (0, 0)}, False),
        ({262: (1,), 258: (8,), 277: (2,), 338: (0,)}, True),
        ({262: (1,), 258: (8,), 277: (2,), 338: (0,), 284: (2,)}, False),
        ({277: (4,), 258: (8,), 338: (1,)}, True),
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


def test_tags_that_are_absent_have_defaults() -> None:
    # TIFF 6.0: one bit, one sample, no compression; JPEG's samples are three.
    assert str(Samples.of(Directory({262: (1,)}, 0), little_endian=True)) == "1-bit grey"
    assert str(Samples.of(Directory({}, 0), little_endian=True)) == "1-bit grey with 0 as white"
    of_jpeg = Samples.of(Directory({258: (8,), 259: (6,)}, 0), little_endian=True)
    assert (str(of_jpeg), len(of_jpeg.bits)) == ("8-bit YCbCr", 3)


def test_equal_samples_are_one_key() -> None:
    assert len({samples({}), samples({}), samples({284: (2,)})}) == 2


def test_inverted_grey_of_16_bits_has_its_byte_order() -> None:
    tags: Tags = {258: (16,), 262: (0,), 277: (1,)}

    assert samples(tags).readable
    assert not samples(tags, little_endian=False).readable


# By the words of docs/picture-depths.md.
COLOURS = {
    **{"grey": 1, "grey, 0 is white": 0, "RGB": 2, "palette": 3, "CMYK": 5, "YCbCr": 6},
    "CIE Lab": 8,
}
FURTHER = {"a channel of no meaning": 0, "premultiplied alpha": 1, "alpha": 2}
FLOAT = 3
Depth = tuple[str, int, int]


def documented() -> dict[Depth, str]:
    """Return what docs/picture-depths.md lists: kind, format and bits, and where it is not read."""
    page = (ROOT / "docs" / "picture-depths.md").read_text(encoding="utf-8")
    table = page.partition("| TIFF |")[2].partition("| PNG |")[0]
    found: dict[Depth, str] = {}
    for kind, *cells in re.findall(
        r"^\| (.+?) \| (.*?) \| (.*?) \| (.*?) \|$", table, re.MULTILINE
    ):
        for number, cell in enumerate(cells, 1):
            for bits, where in re.findall(r"(\d+) \([\d.]+(?:, not ([MPL/]+))?\)", cell):
                found[kind, number, int(bits)] = where
    return found


@pytest.mark.parametrize("further", ["", *FURTHER])
@pytest.mark.parametrize("colour", COLOURS)
def test_what_is_readable_is_what_the_table_of_depths_lists(colour: str, further: str) -> None:
    listed = documented()
    assert len(listed) == 34
    photometric = COLOURS[colour]
    channels = {2: 3, 5: 4, 6: 3, 8: 3}.get(photometric, 1) + bool(further)
    for number, bits in product((1, 2, FLOAT), range(1, 65)):
        kind = f"{colour} + {further}" if further else colour
        tags: Tags = {258: (bits,), 262: (photometric,), 277: (channels,), 339: (number,)}
        tags |= {530: (1, 1)} | ({338: (FURTHER[further],)} if further else {})
        lacking = listed.get((kind, number, bits))
        is_read = lacking is not None
        assert samples(tags).readable is is_read
        in_planes = is_read and ("P" not in str(lacking) or channels == 1)
        assert samples({**tags, 284: (2,)}).readable is in_planes
        assert samples({**tags, 266: (2,)}).readable is (is_read and "L" not in str(lacking))
        big_endian = samples(tags, little_endian=False).readable
        assert big_endian is (is_read and "M" not in str(lacking))
