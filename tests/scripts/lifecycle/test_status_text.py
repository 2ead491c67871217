from scripts.lifecycle.status_text import described, table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = [("worker", "state"), ("9270", "died, is started again in 3 s"), ("9", "READY")]

    assert list(table(rows)) == [
        "  worker  state",
        "  9270    died, is started again in 3 s",
        "  9       READY",
    ]


def test_a_description_is_words() -> None:
    kernels = {"3x3 winograd f32": 95, "1x1 f32": 1}
    limits = {"max_file_bytes": 32 << 20, "max_field_bytes": 4096, "max_pixels": 52_000_000}
    said = {"model": "u2net", "input_size": [320, 320], "kernels": kernels, "limits": limits}

    assert list(described(said)) == [
        "  input size  320, 320",
        "  kernels     3x3 winograd f32: 95; 1x1 f32: 1",
        "  limits      max file: 32 MiB; max field: 4 KiB; max pixels: 52,000,000",
    ]


def test_what_is_too_long_for_a_line_goes_on_below_and_no_pair_is_torn() -> None:
    pairs = {f"a long name {number}": number for number in range(10)}

    lines = list(described({"many": pairs, "empty": ""}))

    assert lines[0].startswith("  many   a long name 0: 0; a long name 1: 1;")
    assert lines[1].startswith("         a long name ")
    assert lines[-1] == "  empty"
    assert max(map(len, lines)) <= 100
