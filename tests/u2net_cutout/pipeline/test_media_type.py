import pytest

from u2net_cutout.pipeline.media_type import MediaType


@pytest.mark.parametrize(
    ("declared", "name", "parameters"),
    [
        ("", "", {}),
        ("image/png", "image/png", {}),
        ("Image/PNG", "image/png", {}),
        (" image/png ", "image/png", {}),
        ("application/json ; charset=utf-8", "application/json", {"charset": "utf-8"}),
        ("multipart/form-data;boundary=b", "multipart/form-data", {"boundary": "b"}),
        ("Multipart/Form-Data; BOUNDARY=aB", "multipart/form-data", {"boundary": "aB"}),
        ('multipart/form-data; boundary="a b;c"', "multipart/form-data", {"boundary": "a b;c"}),
        (
            "multipart/form-data; a=1; c=2; boundary=b",
            "multipart/form-data",
            {"a": "1", "c": "2", "boundary": "b"},
        ),
        (
            "multipart/form-data; boundary==_Part_1==",
            "multipart/form-data",
            {"boundary": "=_Part_1=="},
        ),
        ("multipart/form-data; boundary", "multipart/form-data", {"boundary": ""}),
        ("multipart/form-data; boundary*=utf-8''b", "multipart/form-data", {}),
        (";", "", {}),
        ("\udcff\0;=;==", "?\0", {}),
        ("image/png; a=\ud800; b=1", "image/png", {"a": "?", "b": "1"}),
    ],
)
def test_a_type_is_read_in_every_spelling(
    declared: str, name: str, parameters: dict[str, str]
) -> None:
    assert MediaType.parse(declared) == MediaType(name, parameters)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("application/json", True),
        ("APPLICATION/JSON; charset=utf-8", True),
        ("application/vnd.api+json", True),
        ("text/json", True),
        ("application/x-json", True),
        ("application/json,application/json", False),
        ("application/jsonl", False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_json_has_several_names(declared: str, expected: bool) -> None:
    assert MediaType.parse(declared).is_json is expected


@pytest.mark.parametrize(
    ("declared", "expected"), [("TEXT/plain;charset=utf-7", True), ("image/png", False)]
)
def test_text_is_of_any_kind(declared: str, expected: bool) -> None:
    assert MediaType.parse(declared).is_text is expected


def test_of_a_type_of_a_megabyte_the_beginning_is_read() -> None:
    # All of it would take hours.
    assert MediaType.parse('a/b; c="' + ";" * 1_000_000).name == "a/b"


def test_of_a_long_type_1024_characters_are_read() -> None:
    begun = "a/b; c="

    read = MediaType.parse(begun + "x" * 5000)

    assert read.parameters == {"c": "x" * (1024 - len(begun))}
