"""The command has the server's options, all of them and no others."""

from argparse import ArgumentParser

import pytest

from u2net_cutout.cli.arguments import add_options, chosen_options
from u2net_cutout.client import client as cutout_client
from u2net_cutout.client.errors import UsageError
from u2net_cutout.contract.options import OPTIONS
from u2net_cutout.pipeline import request as cutout_request

VALUES = {
    "format": "webp",
    "quality": "80",
    "channels": "rgba",
    "size": "preview",
    "crop": None,
    "crop_margin": "5% 10px",
    "scale": "80%",
    "position": "10% 20%",
    "roi": "0% 0% 50% 50%",
    "bg_color": "red",
    "edges": "plain",
}


def parsed(*arguments: str) -> dict[str, str]:
    parser = ArgumentParser()
    add_options(parser)
    return chosen_options(parser.parse_args(arguments))


def test_every_option_of_the_server_is_one_of_the_command() -> None:
    parser = ArgumentParser()
    add_options(parser)
    names = {action.dest for action in parser._actions} - {"help"}

    assert names == {option.name for option in OPTIONS} | {cutout_request.BACKGROUND_FIELD}
    assert names == VALUES.keys() | {"bg_image_file"}


@pytest.mark.parametrize("name", sorted(VALUES.keys() - {"crop_margin"}))
def test_an_option_is_sent_under_its_own_name(name: str) -> None:
    value = VALUES[name]
    dashed = f"--{name.replace('_', '-')}"

    assert parsed(dashed, *([value] if value else [])) == {name: value or "true"}


def test_all_of_them_go_together() -> None:
    arguments = [
        word
        for name, value in VALUES.items()
        for word in (f"--{name.replace('_', '-')}", value)
        if word
    ]

    assert parsed(*arguments) == {name: value or "true" for name, value in VALUES.items()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--quality", "101"),
        ("--edges", "nope"),
        ("--crop-margin", "5%"),
        ("--bg-color", "red", "--bg-image-file", "x"),
        ("--bg-color", "red", "--channels", "alpha"),
    ],
)
def test_what_the_server_would_always_refuse_is_refused_at_once(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        parsed(*arguments)


def test_files_are_sent_in_the_fields_that_the_server_reads() -> None:
    assert cutout_client.PICTURE_FIELD in cutout_request.PICTURE_FIELDS
    assert cutout_client.BACKGROUND_FIELD == cutout_request.BACKGROUND_FIELD
