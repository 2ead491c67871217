import re

import pytest

from u2net_cutout.contract.errors import CutoutError, InvalidOption


def kinds_of(parent: type[CutoutError]) -> list[type[CutoutError]]:
    """The leaves of the tree, which are what is raised."""
    return [leaf for child in parent.__subclasses__() for leaf in kinds_of(child) or [child]]


def make(kind: type[CutoutError]) -> CutoutError:
    return InvalidOption("bg_color", "why") if kind is InvalidOption else kind("why")


ERRORS = [make(kind) for kind in kinds_of(CutoutError)]
every_error = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)


@every_error
def test_an_error_has_a_status_of_a_failure(error: CutoutError) -> None:
    assert type(error.status) is int
    assert 400 <= error.status <= 599


@every_error
def test_a_phrase_is_printable_ascii(error: CutoutError) -> None:
    assert re.fullmatch(r"[ -~]+", error.phrase)


@every_error
def test_a_code_is_snake_case(error: CutoutError) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", error.code)


@every_error
def test_an_error_has_a_title_and_keeps_its_detail(error: CutoutError) -> None:
    assert error.title
    assert (error.detail, str(error)) == ("why", "why")


def test_statuses_are_those_of_the_contract() -> None:
    assert {error.code: error.status for error in ERRORS} == {
        "missing_source": 400,
        "multiple_sources": 400,
        "multiple_bg_sources": 400,
        "url_sources_disabled": 400,
        "unknown_parameter": 400,
        "unsupported_parameter": 400,
        "invalid_bg_color": 400,
        "invalid_base64": 400,
        "invalid_form": 400,
        "invalid_json": 400,
        "failed_to_read_image": 400,
        "unsupported_picture": 400,
        "not_acceptable": 406,
        "file_too_large": 413,
        "resolution_too_high": 413,
        "side_too_long": 413,
        "too_many_parts": 413,
        "too_many_frames": 413,
        "metadata_too_large": 413,
        "too_much_memory": 413,
        "too_many_fields": 413,
        "field_too_long": 413,
        "too_many_items": 413,
        "response_too_large": 413,
        "invalid_file_type": 415,
        "unsupported_encoding": 415,
        "unknown_foreground": 422,
        "internal_error": 500,
    }


def test_the_code_of_an_invalid_option_names_the_option() -> None:
    assert InvalidOption("format", "why").code == "invalid_format"
