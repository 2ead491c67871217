from u2net_cutout.imaging.pixel_file import joined


def test_spans_are_joined_between_head_and_tail() -> None:
    file = joined(b"<", b"0123456789", [(7, 9), (1, 2), (4, 4)], b">")

    assert file.getvalue() == b"<781>"


def test_of_no_spans_head_and_tail_are_left() -> None:
    assert joined(b"<", bytearray(b"0123"), []).getvalue() == b"<"
