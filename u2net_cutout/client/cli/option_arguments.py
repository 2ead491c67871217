"""The options of a cutout as options of the command, from the server's own table."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from u2net_cutout.client.errors import UsageError
from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.contract.option_values import parse_boolean
from u2net_cutout.contract.options import OPTIONS, read_options

BACKGROUND = "bg_image_file"


def add_options(parser: ArgumentParser) -> None:
    """Add all that the server's table has, each under its name with dashes."""
    group = parser.add_argument_group(
        "options of the cutout (those of the remove.bg API, and edges)"
    )
    for option in OPTIONS:
        values, meaning, default = (
            text.replace("`", "").replace("%", "%%")
            for text in (option.values, option.meaning, option.default)
        )
        if option.name == "format":
            default = "as OUTPUT's name says, else png"
        name = f"--{option.name.replace('_', '-')}"
        told = f"{values}: {meaning} (default: {default})"
        if option.parse is parse_boolean:
            # A switch that took a value would take the picture after it for one.
            group.add_argument(
                name, dest=option.name, action="store_const", const="true", help=meaning
            )
        else:
            group.add_argument(name, dest=option.name, metavar="VALUE", help=told)
    group.add_argument(
        "--bg-image-file",
        dest=BACKGROUND,
        type=Path,
        metavar="FILE",
        help="a picture to lie on: centred, scaled to cover",
    )


def chosen_options(arguments: Namespace) -> dict[str, str]:
    """Return the options that were given, as the server takes them.

    Raises:
        UsageError: a value that the server would refuse for any picture.
    """
    given = {option.name: getattr(arguments, option.name) for option in OPTIONS}
    fields = {name: value for name, value in given.items() if value is not None}
    try:
        read_options(fields)
    except CutoutError as error:
        raise UsageError(str(error)) from error
    if getattr(arguments, BACKGROUND) and "bg_color" in fields:
        raise UsageError("a cutout lies on --bg-color or on --bg-image-file, not on both")
    return fields
