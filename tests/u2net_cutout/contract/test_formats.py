"""The formats of an answer, as options and answers name them."""

import pytest

from u2net_cutout.contract.formats import CONTENT_TYPES, JSON_TYPE, OutputFormat


@pytest.mark.parametrize(
    ("output_format", "value", "content_type"),
    [
        (OutputFormat.RGBA, "rgba", "application/octet-stream"),
        (OutputFormat.PNG, "png", "image/png"),
        (OutputFormat.WEBP, "webp", "image/webp"),
        (OutputFormat.JPG, "jpg", "image/jpeg"),
        (OutputFormat.ZIP, "zip", "application/zip"),
    ],
)
def test_a_format_has_its_name_and_media_type(
    output_format: OutputFormat, value: str, content_type: str
) -> None:
    assert (output_format.value, CONTENT_TYPES[output_format]) == (value, content_type)


def test_every_format_but_auto_has_a_media_type() -> None:
    assert set(CONTENT_TYPES) == set(OutputFormat) - {OutputFormat.AUTO}


@pytest.mark.parametrize(
    ("output_format", "takes"),
    [
        (OutputFormat.RGBA, False),
        (OutputFormat.PNG, False),
        (OutputFormat.WEBP, True),
        (OutputFormat.JPG, True),
        (OutputFormat.ZIP, True),
        (OutputFormat.AUTO, True),
    ],
)
def test_quality_is_for_formats_that_have_some(output_format: OutputFormat, takes: bool) -> None:
    assert output_format.takes_quality is takes


def test_json_has_its_media_type() -> None:
    # RFC 8259, 11.
    assert JSON_TYPE == "application/json"
