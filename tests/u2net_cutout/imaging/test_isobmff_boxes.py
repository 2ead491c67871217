import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from tests.u2net_cutout.imaging.broken_files import XMP, picture, saved, shown
from tests.u2net_cutout.imaging.test_decoding import ASCII, ORIENTATION, SHORT, exif_of
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image
from u2net_cutout.imaging.isobmff_boxes import boxes, read_isobmff

LEVELS = picture()
DESCRIPTION, X_RESOLUTION = b"\x0e\1\2\0", b"\x1a\1\2\0"


def box(kind: bytes, contents: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(contents), kind) + contents


def avif(**options: object) -> bytes:
    return saved(LEVELS, "AVIF", quality=90, **options)


def test_a_resolution_in_words_does_not_cost_a_turned_picture(limits: Limits) -> None:
    exif = exif_of((ORIENTATION, SHORT, b"\x06\0"), (0x010E, ASCII, b"seventy-two\0"))
    sound = avif(exif=b"Exif\0\0" + exif)  # Pillow turns it by ``irot``
    assert sound.count(DESCRIPTION) == 1
    odd = sound.replace(DESCRIPTION, X_RESOLUTION)

    # Pillow writes the EXIF anew while it opens such a file.
    with pytest.raises(Exception):  # noqa: B017, PT011
        Image.open(BytesIO(odd)).load()
    expected = np.rot90(shown(avif()), -1)
    assert np.array_equal(np.asarray(decode_image(sound, limits)), expected)
    assert np.array_equal(np.asarray(decode_image(odd, limits)), expected)


def test_exif_alone_turns_nothing(limits: Limits) -> None:
    exif = exif_of((0x010E, SHORT, b"\x06\0"))
    sound = avif(exif=b"Exif\0\0" + exif)
    turned = sound.replace(b"\x0e\1\3\0", b"\x12\1\3\0")

    assert exif_of((ORIENTATION, SHORT, b"\x06\0"))[8:] in turned
    assert np.array_equal(np.asarray(decode_image(turned, limits)), shown(avif()))


@pytest.mark.parametrize("end", [bytes(9), b"garbage" * 9, b"\0\0\0\x63free", b"\0\0\0\1uuid"])
def test_what_follows_the_last_box_does_not_count(limits: Limits, end: bytes) -> None:
    decoded = decode_image(avif() + end, limits)

    assert np.array_equal(np.asarray(decoded), shown(avif()))


def test_items_that_lie_nowhere_do_not_count(limits: Limits) -> None:
    file = bytearray(avif(xmp=XMP, exif=b"Exif\0\0" + exif_of((0x010E, ASCII, b"hello\0"))))
    at = file.rindex(struct.pack(">I", len(XMP)), 0, file.index(b"mdat"))
    struct.pack_into(">I", file, at, 0x7FFFFFFF)

    with pytest.raises(UnidentifiedImageError):
        Image.open(BytesIO(file)).load()
    assert np.array_equal(np.asarray(decode_image(bytes(file), limits)), shown(avif()))


def test_boxes_are_walked_while_they_lie_within() -> None:
    large = struct.pack(">I4sQ", 1, b"larg", 19) + b"abc"
    data = (
        box(b"ftyp", b"avif") + large + box(b"free", b"") + struct.pack(">I4s", 0, b"rest") + b"x"
    )

    assert [kind for kind, _, _ in boxes(data, 0, len(data))] == [
        b"ftyp",
        b"larg",
        b"free",
        b"rest",
    ]
    assert [data[start:end] for _, start, end in boxes(data, 0, len(data))][1] == b"abc"
    for short in range(len(data)):
        assert all(end <= short for _, _, end in boxes(data[:short], 0, short))
    for length in range(1, 8):
        assert list(boxes(struct.pack(">I4s", length, b"free") + bytes(20), 0, 28)) == []


@pytest.mark.parametrize("last", [box(b"free", b""), struct.pack(">I4sQ", 1, b"free", 16)])
def test_an_empty_box_may_end_a_file(last: bytes) -> None:
    assert list(boxes(last, 0, len(last))) == [(b"free", len(last), len(last))]


def test_a_file_is_cut_behind_its_last_box_where_all_are_known() -> None:
    whole = avif()
    at = whole.index(b"mdat") - 4
    own = len(list(boxes(whole, 0, len(whole))))
    few, many = (whole + box(b"free", b"") * (count - own) for count in (9_999, 10_000))

    assert read_isobmff(few + b"rest", 0).file.getvalue() == few
    assert read_isobmff(many + b"rest", 0).file.getvalue() == many + b"rest"
    assert read_isobmff(whole + b"rest", 0).file.getvalue() == whole
    assert read_isobmff(whole[:at] + b"rest", 0).file.getvalue() == whole[:at] + b"rest"


def with_items(kind: bytes, items: bytes) -> bytes:
    meta = box(b"meta", bytes(4) + box(kind, items))
    return box(b"ftyp", b"avif") + box(b"mdat", b"pixels") + meta


@pytest.mark.parametrize("count", [b"\0\0\0\0\0\1", b"\1\0\0\0\0\0\0\1"])
@pytest.mark.parametrize(("version", "identifier"), [(2, ">H"), (3, ">I")])
@pytest.mark.parametrize(
    ("kind", "expected"), [(b"Exif", b"free"), (b"mime", b"free"), (b"av01", b"av01")]
)
def test_items_of_metadata_become_free_space(
    version: int, identifier: str, kind: bytes, expected: bytes, count: bytes
) -> None:
    def entry(item: bytes) -> bytes:
        return bytes([version, 0, 0, 0]) + struct.pack(identifier, 1) + b"\0\0" + item + b"name\0"

    def read(items: bytes, item: bytes) -> bytes:
        file = with_items(items, count + box(item, entry(kind)))
        return read_isobmff(file, 0).file.read()

    assert read(b"iinf", b"infe") == with_items(b"iinf", count + box(b"infe", entry(expected)))
    for items, item in (
        *((b"iloc", b"infe"), (b"idat", b"infe"), (b"iinf", b"infa"), (b"iinf", b"infz")),
    ):
        assert read(items, item) == with_items(items, count + box(item, entry(kind)))


@pytest.mark.parametrize(
    "items",
    [
        *(b"", bytes(4), bytes(6) + box(b"infe", b""), bytes(6) + box(b"infe", b"\2")),
        bytes(6) + box(b"infe", b"\2\0\0\0\0\1\0\0Exi") + b"f",
    ],
)
def test_items_that_are_cut_short_are_left_alone(items: bytes) -> None:
    assert read_isobmff(with_items(b"iinf", items), 0).file.getvalue() == with_items(b"iinf", items)
