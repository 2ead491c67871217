"""The command line of u2net-cutout: three commands with the names of rembg's."""

import argparse
import math
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from u2net_cutout.client.client import BACKGROUND_FIELD, TIMEOUT_S, TRIES
from u2net_cutout.client.endpoint import DEFAULT_MODEL, DEFAULT_URL, Api
from u2net_cutout.client.errors import UsageError
from u2net_cutout.client.settings import API, KEY, KEY_COMMAND, MODEL, URL
from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.contract.option_values import parse_boolean
from u2net_cutout.contract.options import OPTIONS, read_options

PROGRAM = "u2net-cutout"
# Enough to keep a server's workers busy during transfers; its queue holds 16.
DEFAULT_JOBS = 4
DEFAULT_INTERVAL_S = 1.0


def build_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser; its result's `command` is one of `i`, `p` and `b`."""
    parser = argparse.ArgumentParser(
        program,
        description="Cut the foreground out of pictures, by a cutout server or a model archive.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{i,p,b}")
    ending = "Exit status: 0 all done, 1 some failed, 2 wrong usage, 130 interrupted."

    def add(name: str, summary: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name, help=summary, description=summary, epilog=ending, allow_abbrev=False
        )
        _add_server(command)
        add_options(command)
        return command

    files = add("i", "one picture or several: i INPUT OUTPUT, i INPUT... FOLDER, i < IN > OUT")
    files.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="- is stdin or stdout; -- ends options"
    )
    _add_work(files)

    folder = add("p", "a folder and all below; existing cutouts are skipped")
    folder.add_argument("input", type=Path, metavar="INPUT")
    folder.add_argument("output", type=Path, metavar="OUTPUT")
    _add_work(folder)
    folder.add_argument(
        "-w", "--watch", action="store_true", help="wait for more pictures, until Ctrl-C"
    )
    folder.add_argument(
        "--interval",
        type=_positive(float),
        default=DEFAULT_INTERVAL_S,
        metavar="SECONDS",
        help="between scans of --watch; a file unchanged for so long is complete",
    )

    frames = add("b", "raw rgb24 frames from stdin, as ffmpeg pipes them")
    frames.add_argument("width", type=_positive(int), metavar="WIDTH")
    frames.add_argument("height", type=_positive(int), metavar="HEIGHT")
    frames.add_argument(
        "-o", "--output", help="files such as frame-%%03u.png; otherwise raw RGBA to stdout"
    )
    _add_jobs(frames)
    return parser


def chosen_options(arguments: argparse.Namespace) -> dict[str, str]:
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
    if getattr(arguments, BACKGROUND_FIELD) and "bg_color" in fields:
        raise UsageError("a cutout lies on --bg-color or on --bg-image-file, not on both")
    return fields


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add every option of the server's table, under its name with dashes."""
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
        words = f"{values}: {meaning} (default: {default})"
        if option.parse is parse_boolean:
            # With a value it would take the picture after it for one.
            group.add_argument(
                name, dest=option.name, action="store_const", const="true", help=meaning
            )
        else:
            group.add_argument(name, dest=option.name, metavar="VALUE", help=words)
    group.add_argument(
        "--bg-image-file",
        dest=BACKGROUND_FIELD,
        type=Path,
        metavar="FILE",
        help="a picture to lie on: centred, scaled to cover",
    )


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--archive",
        type=Path,
        metavar="FILE",
        help="cut out here by a model archive, without a server: pip install 'u2net-cutout[local]'",
    )
    group = parser.add_argument_group("the server")
    group.add_argument(
        "--url", help=f"root of the server, or its full address ({URL}; default {DEFAULT_URL})"
    )
    group.add_argument("--model", help=f"name of the model ({MODEL}; default {DEFAULT_MODEL})")
    group.add_argument(
        "--api",
        choices=[api.value for api in Api],
        help=f"form of address and key, where the URL names neither ({API}; default torchserve)",
    )
    group.add_argument(
        "--key", help=f"token or API key; others on this machine can't read it in {KEY}"
    )
    group.add_argument(
        "--key-command",
        metavar="COMMAND",
        help=f"prints the key; run again when the key has expired ({KEY_COMMAND})",
    )
    group.add_argument(
        "--tries",
        type=_positive(int),
        default=TRIES,
        help=f"requests for each picture while the server is busy or away (default {TRIES})",
    )
    group.add_argument(
        "--timeout",
        type=_positive(float),
        default=TIMEOUT_S,
        metavar="SECONDS",
        help=f"for each request, to the response's last byte, or with --archive for each picture "
        f"(default {TIMEOUT_S:.0f})",
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    _add_jobs(parser)
    parser.add_argument("-f", "--force", action="store_true", help="replace existing files")
    parser.add_argument(
        "--composite",
        action="store_true",
        help="send a copy of 960 x 960 pixels and cut out locally: saves bytes; edges are plain",
    )
    parser.add_argument(
        "--full-names", action="store_true", help="a.jpg becomes a.jpg.png, not a.png"
    )


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-j",
        "--jobs",
        type=_positive(int),
        help=f"pictures in flight at once (default {DEFAULT_JOBS}); with --archive processes, each "
        "with the network in its memory (default: one for each CPU)",
    )


def _positive(kind: type[int] | type[float]) -> Callable[[str], int | float]:
    def read(text: str) -> int | float:
        value = kind(text)
        if not 0 < value < math.inf:
            raise ValueError
        return value

    read.__name__ = "number above 0"  # argparse prints: invalid number above 0 value
    return read


def _version() -> str:
    try:
        return version(PROGRAM)
    except PackageNotFoundError:  # run out of the repository
        return "(not installed)"
