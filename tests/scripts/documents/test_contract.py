import json

from openapi_spec_validator import validate

from scripts.documents.contract import (
    OPENAPI,
    PAGE,
    PUBLIC_SIDE,
    openapi,
    refusals,
    with_table,
)
from u2net_cutout.contract.options import OPTIONS, CutoutOptions


def test_the_page_has_todays_table_of_options() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert with_table(page) == page


def test_the_openapi_description_is_todays() -> None:
    assert json.loads(OPENAPI.read_text(encoding="utf-8")) == openapi()


def test_every_option_is_in_the_table_once() -> None:
    names = [option.name for option in OPTIONS]

    assert sorted(names) == sorted(CutoutOptions.__dataclass_fields__)


def test_the_openapi_description_is_valid() -> None:
    validate(openapi())


def test_the_errors_of_the_gateway_are_described() -> None:
    configuration = PUBLIC_SIDE.read_text(encoding="utf-8")
    found = list(refusals(configuration))
    responses = openapi()["components"]["responses"]

    # All but the two whose status is that of the page's own refusal.
    assert len(found) == configuration.count("location = /_refused/") - 2
    assert {401, 403, 404, 429, 503, 504} <= {status for status, *_ in found}
    for status, code, title in found:
        assert f"`{code}`: {title}" in responses[f"Error{status}"]["description"]
