from dataclasses import FrozenInstanceError, fields
from io import BytesIO

import pytest

from u2net_cutout.imaging.pixel_file import PixelFile, joined


def test_spans_are_joined_between_head_and_tail() -> None:
    file = joined(b"<", b"0123456789", [(7, 9), (1, 2), (4, 4)], b">")

    assert file.getvalue() == b"<781>"


def test_of_no_spans_head_and_tail_are_left() -> None:
    assert joined(b"<", bytearray(b"0123"), []).getvalue() == b"<"


def test_a_file_has_no_metadata_unless_it_is_said() -> None:
    file = PixelFile(BytesIO(b"pixels"))

    assert (file.info, file.ignored_bytes) == ({}, 0)
    for field in fields(file):
        with pytest.raises(FrozenInstanceError):
            setattr(file, field.name, None)
