"""Directories of files that tifffile wrote, and of what is left of them."""

import struct
from dataclasses import FrozenInstanceError, fields
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from u2net_cutout.imaging.tiff_directory import Directory, Entry, TiffFile

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
@pytest.mark.parametrize("count", [63, 64, 65, 1000])
def test_the_first_of_many_numbers_are_read(order: str, big: bool, count: int) -> None:
    tag = (65000, "H", count, list(range(count)), True)
    file = TiffFile(written(order, big, extratags=[tag]), big)

    numbers = file.directory(file.first()).numbers[65000]

    assert numbers == tuple(range(min(count, 64)))


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

    assert own < len(first.numbers)
    entries = list(many.entries(many.first()))
    assert len(first.numbers) == sum(entry.kind in (1, 3, 4, 16) for entry in entries[:512])
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


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("kind", "form", "big"),
    # BYTE, SHORT, LONG and IFD; BigTIFF's LONG8 and IFD8.
    [
        *((1, "B", False), (3, "H", False), (4, "I", False), (13, "I", False)),
        *((1, "B", True), (3, "H", True), (4, "I", True), (16, "Q", True), (18, "Q", True)),
    ],
)
def test_whole_numbers_of_each_type_are_read(order: str, kind: int, form: str, big: bool) -> None:
    head = b"II*\0" if order == "<" else b"MM\0*"
    held = struct.pack(order + form, 77).ljust(8 if big else 4, b"\0")
    directory = struct.pack(order + ("QHHQ" if big else "HHHI"), 1, 300, kind, 1) + held
    next_one = struct.pack(order + ("Q" if big else "I"), 99)

    read = TiffFile(head + directory + next_one, big).directory(4)

    assert read == Directory({300: (77,)}, 99)
    assert (read.number(300, 1), read.number(301, 1)) == (77, 1)


def test_the_first_of_several_numbers_is_the_one_that_counts() -> None:
    assert Directory({258: (8, 9)}, 0).number(258, 1) == 8


@pytest.mark.parametrize("data", [b"", b"II*\0", b"MM\0*\0\0\0"])
def test_what_is_cut_short_places_nothing(data: bytes) -> None:
    assert TiffFile(data, False).first() == 0
    assert TiffFile(data, False).directory(2) == Directory({}, 0)


@layouts
@pytest.mark.parametrize("at", [10_000, 2**31, 2**63 - 1, 2**64 - 1])
def test_numbers_beyond_any_file_are_none(order: str, big: bool, at: int) -> None:
    head = b"II*\0" if order == "<" else b"MM\0*"
    at = min(at, 2**64 - 1 if big else 2**32 - 1)
    entry = struct.pack(order + ("QHHQQ" if big else "HHHII"), 1, 300, 4, 9, at)

    file = TiffFile(head + entry + bytes(8), big)

    assert file.directory(4) == Directory({}, 0)
    assert list(file.entries(at)) == []


@pytest.mark.parametrize(
    "value", [Entry(256, 3, 1, b"\1\0\0\0"), Directory({}, 0), TiffFile(b"", False)]
)
def test_what_was_read_stays(value: Entry | Directory | TiffFile) -> None:
    for field in fields(value):
        with pytest.raises(FrozenInstanceError):
            setattr(value, field.name, None)


def test_only_the_first_of_several_numbers_is_said() -> None:
    directory = Directory({1: (7, 8)}, 0)

    assert directory.says(1, 7)
    assert directory.says(1, 6, 7)
    assert not directory.says(1, 8)
    assert not directory.says(2, 7)
