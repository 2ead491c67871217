"""Directories of files that tifffile wrote, and of what is left of them."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from u2net_cutout.imaging.tiff_directory import MAX_NUMBERS, MAX_TAGS, TiffFile

LAYOUTS = [("<", False), (">", False), ("<", True), (">", True)]
layouts = pytest.mark.parametrize(("order", "big"), LAYOUTS)


def written(order: str, big: bool, **options: Any) -> bytes:
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer, byteorder=order, bigtiff=big) as writer:  # type: ignore[arg-type]
        for side in (5, 7):
            writer.write(np.zeros((side, 6, 3), np.uint8), photometric="rgb", **options)
    return buffer.getvalue()


@layouts
def test_the_numbers_of_both_pictures_are_read(order: str, big: bool) -> None:
    file = TiffFile(written(order, big), big)

    first = file.directory(file.first())
    second = file.directory(first.following)

    assert (first.number(256, 0), first.number(257, 0), second.number(257, 0)) == (6, 5, 7)
    assert first.numbers[258] == (8, 8, 8)
    assert second.following == 0


@layouts
def test_texts_and_fractions_are_no_numbers(order: str, big: bool) -> None:
    file = TiffFile(written(order, big, software="writer", resolution=(300, 300)), big)

    tags = {entry.tag for entry in file.entries(file.first())}

    assert {282, 305} <= tags
    assert not {282, 305} & set(file.directory(file.first()).numbers)


@layouts
@pytest.mark.parametrize("count", [MAX_NUMBERS - 1, MAX_NUMBERS, MAX_NUMBERS + 1, 1000])
def test_the_first_of_many_numbers_are_read(order: str, big: bool, count: int) -> None:
    tag = (65000, "H", count, list(range(count)), True)
    file = TiffFile(written(order, big, extratags=[tag]), big)

    numbers = file.directory(file.first()).numbers[65000]

    assert numbers == tuple(range(min(count, MAX_NUMBERS)))


def test_a_bigtiff_places_sub_pictures_by_numbers_of_64_bits() -> None:
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer, bigtiff=True) as writer:
        for side in (5, 7):
            writer.write(
                np.zeros((side, 6, 3), np.uint8),
                photometric="rgb",
                subifds=1 if side == 5 else None,
            )
    file = TiffFile(buffer.getvalue(), big=True)

    (at,) = file.directory(file.first()).numbers[330]

    assert file.directory(at).number(257, 0) == 7


@layouts
def test_of_many_tags_the_first_are_read_and_the_next_picture_is_found(
    order: str, big: bool
) -> None:
    few, many = (TiffFile(written(order, big, extratags=tags_of_ours(n)), big) for n in (9, 700))

    own = len(few.directory(few.first()).numbers) - 9
    first = many.directory(many.first())

    assert own < len(first.numbers) <= MAX_TAGS
    assert MAX_TAGS - len(first.numbers) < 10  # those that hold no numbers
    assert many.directory(first.following).number(257, 0) == 7


def tags_of_ours(count: int) -> list[tuple[int, str, int, int, bool]]:
    return [(50000 + tag, "H", 1, 1, True) for tag in range(count)]


def test_a_missing_tag_has_the_default() -> None:
    file = TiffFile(written("<", False), False)

    assert file.directory(file.first()).number(266, 1) == 1


@layouts
def test_a_file_cut_anywhere_lacks_tags_and_raises_nothing(order: str, big: bool) -> None:
    data = written(order, big)
    whole = TiffFile(data, big)
    tags = whole.directory(whole.first()).numbers

    for length in range(len(data)):
        cut = TiffFile(data[:length], big)
        assert set(cut.directory(cut.first()).numbers) <= set(tags) | {0}


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"II", b"MM"]), st.booleans())
def test_any_bytes_are_read(body: bytes, order: bytes, big: bool) -> None:
    file = TiffFile(order + body, big)

    file.directory(file.first())
