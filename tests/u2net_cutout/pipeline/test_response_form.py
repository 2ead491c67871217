import re
from collections.abc import Mapping

import pytest

from tests.conftest import ROOT
from u2net_cutout.contract.errors import CutoutError, InvalidOption, NotAcceptable
from u2net_cutout.contract.formats import OutputFormat
from u2net_cutout.contract.options import read_options
from u2net_cutout.pipeline.response_form import ResponseForm

PAGE = ROOT / "docs" / "options.md"
HTTP = {"host": "localhost"}
AUTO = {"x-default-format": "auto"}
PNG, RGBA, WEBP = OutputFormat.PNG, OutputFormat.RGBA, OutputFormat.WEBP
JPG, ZIP, EITHER = OutputFormat.JPG, OutputFormat.ZIP, OutputFormat.AUTO


def form_of(
    head: Mapping[str, str] = HTTP, options: Mapping[str, object] | None = None, **how: bool
) -> ResponseForm:
    explain = how.get("explain", False)
    return ResponseForm.choose(head, read_options(options or {}), explain=explain)


def refusal_of(
    head: Mapping[str, str], options: Mapping[str, object] | None = None, **how: bool
) -> CutoutError:
    with pytest.raises(CutoutError) as caught:
        form_of(head, options, **how)
    return caught.value


def clients() -> dict[str, tuple[str, ...]]:
    """What the documentation says that clients send by themselves, and what each gets."""
    rows = PAGE.read_text(encoding="utf-8").partition("| client | `Accept` |")[2].partition("\n\n")
    cells = [re.split(r" *\| *", line)[1:-1] for line in rows[0].splitlines()[2:]]
    return {client: tuple(others) for client, *others in cells}


CLIENTS = clients()


def test_the_table_of_clients_is_read() -> None:
    assert len(CLIENTS) > 30
    assert {len(cells) for cells in CLIENTS.values()} == {3}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_that_asks_for_nothing_gets_the_default_of_the_address(client: str) -> None:
    sent, at_predictions, at_removebg = (cell.strip("`") for cell in CLIENTS[client])
    head = {} if sent == "none" else {"accept": sent}

    for found, expected in (
        (form_of({**HTTP, **head}), at_predictions),
        (form_of({**AUTO, **head}), at_removebg),
    ):
        form = (
            f"{found.output_format.value} in JSON" if found.in_json else found.output_format.value
        )
        assert form == expected


@pytest.mark.parametrize("client", CLIENTS)
def test_no_client_gets_a_picture_without_transparency_unasked(client: str) -> None:
    assert not {"jpg", "zip"} & {cell.strip("`") for cell in CLIENTS[client][1:]}


@pytest.mark.parametrize(
    ("accept", "options", "expected"),
    [
        ("", {}, RGBA),
        ("*/*", {}, RGBA),
        ("image/png", {}, PNG),
        ("application/octet-stream", {}, RGBA),
        ("image/*", {}, PNG),
        ("image/webp", {}, WEBP),
        ("image/jpeg", {}, JPG),
        ("image/jpeg, image/png;q=0.5", {}, JPG),
        ("application/zip", {}, ZIP),
        ("image/avif, image/webp;q=0.8, image/*;q=0.5", {}, WEBP),
        ("application/json;q=0.5, image/png", {}, PNG),
        ("application/*", {}, RGBA),
        ("text/html, image/png;q=0.9", {}, PNG),
        ("image/png", {"format": "rgba"}, RGBA),
        ("text/html", {"format": "png"}, PNG),
    ],
)
def test_a_field_precedes_accept_and_accept_the_default(
    accept: str, options: Mapping[str, object], expected: OutputFormat
) -> None:
    assert form_of({**HTTP, "accept": accept}, options) == ResponseForm(expected, in_json=False)


@pytest.mark.parametrize("value", [output_format.value for output_format in OutputFormat])
def test_json_is_a_container_around_any_format(value: str) -> None:
    form = form_of({"accept": "application/json"}, {"format": value})

    assert (form.output_format.value, form.in_json) == (value, True)


@pytest.mark.parametrize("accept", ["application/json", "image/png;q=0.5, application/json"])
@pytest.mark.parametrize("explain", [False, True])
def test_png_is_inside_json_unless_a_format_is_named(accept: str, explain: bool) -> None:
    assert form_of({"accept": accept}, explain=explain) == ResponseForm(PNG, in_json=True)


@pytest.mark.parametrize(
    ("default", "accept", "expected"),
    [
        ("auto", "", EITHER),
        ("auto", "*/*", EITHER),
        ("auto", "*", EITHER),
        ("auto", "image/jpeg, image/png", EITHER),
        ("auto", "image/png", PNG),
        ("auto", "image/png, */*;q=0.1", PNG),
        ("auto", "image/jpeg", JPG),
        ("auto", "application/octet-stream, */*;q=0.5", RGBA),
        ("auto", "text/html, image/jpeg;q=0, */*", PNG),
        ("webp", "*/*", WEBP),
        ("webp", "image/png", PNG),
        ("webp", "text/html, image/png, */*;q=0.1", WEBP),
        ("rgba", "*/*", RGBA),
    ],
)
def test_a_gateway_names_the_format_of_those_who_name_none(
    default: str, accept: str, expected: OutputFormat
) -> None:
    head = {"x-default-format": default, "accept": accept}

    assert form_of(head).output_format is expected
    assert form_of(head, {"format": "zip"}).output_format is ZIP


@pytest.mark.parametrize(("explain", "expected"), [(False, EITHER), (True, PNG)])
def test_it_is_inside_json_as_well_but_explanations_stay_png(
    explain: bool, expected: OutputFormat
) -> None:
    head = {**AUTO, "accept": "application/json"}

    assert form_of(head, explain=explain) == ResponseForm(expected, in_json=True)


def test_a_format_that_a_gateway_may_not_name_is_told() -> None:
    assert refusal_of({"x-default-format": "gif"}).code == "invalid_format"
    assert f": '{'x' * 40}' is none" in refusal_of({"x-default-format": "x" * 99}).detail


@pytest.mark.parametrize("accept", ["text/html", "image/avif", "image/*;q=0", "application/xml"])
def test_what_can_not_be_accepted_is_not_made(accept: str) -> None:
    assert type(refusal_of({"accept": accept})) is NotAcceptable


def test_without_headers_as_over_grpc_png_is_the_default() -> None:
    assert form_of({}) == ResponseForm(PNG, in_json=False)


def test_an_explanation_is_png_or_json_or_nothing() -> None:
    assert form_of(HTTP, explain=True) == ResponseForm(PNG, in_json=False)
    assert type(refusal_of({"accept": "image/jpeg"}, explain=True)) is NotAcceptable


@pytest.mark.parametrize(
    ("value", "quality"),
    [
        ("jpg", "1"),
        ("jpg", "100"),
        ("zip", "80"),
        ("webp", "80"),
        ("webp", "lossless"),
        ("auto", "80"),
    ],
)
def test_quality_is_for_lossy_formats_and_lossless_for_webp(value: str, quality: str) -> None:
    assert form_of(HTTP, {"format": value, "quality": quality}).output_format.value == value


@pytest.mark.parametrize(
    ("options", "head"),
    [
        ({"quality": "90"}, HTTP),
        ({"quality": "90", "format": "rgba"}, {"accept": "image/jpeg"}),
        ({"quality": "90", "format": "png"}, HTTP),
        ({"quality": "lossless", "format": "png"}, HTTP),
        ({"quality": "lossless", "format": "jpg"}, HTTP),
        ({"quality": "lossless", "format": "zip"}, HTTP),
        ({"quality": "lossless", "format": "auto"}, HTTP),
        ({"quality": "90"}, {}),
        ({"quality": "90"}, {"accept": "application/json"}),
    ],
)
def test_a_quality_that_the_format_does_not_have_is_refused(
    options: Mapping[str, object], head: Mapping[str, str]
) -> None:
    refusal = refusal_of(head, options)

    assert (type(refusal), refusal.code) == (InvalidOption, "invalid_quality")


@pytest.mark.parametrize(
    ("options", "accept"),
    [
        ({"format": "zip"}, "*/*"),
        ({}, "application/zip"),
        ({"format": "zip"}, "application/json"),
    ],
)
def test_a_zip_of_the_matte_alone_is_refused(options: Mapping[str, object], accept: str) -> None:
    refusal = refusal_of({"accept": accept}, {"channels": "alpha", **options})

    assert (type(refusal), refusal.code) == (InvalidOption, "invalid_channels")
