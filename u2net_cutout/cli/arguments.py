"""The command line of u2net-cutout: three commands with the names of rembg's."""

import argparse
import math
import textwrap
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from u2net_cutout.client.client import BACKGROUND_FIELD, TIMEOUT_S, TRIES
from u2net_cutout.client.endpoint import DEFAULT_MODEL, DEFAULT_URL, Api
from u2net_cutout.client.errors import UsageError
from u2net_cutout.client.settings import API, KEY, KEY_COMMAND, MODEL, URL
from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.contract.option_values import parse_boolean
from u2net_cutout.contract.options import OPTIONS, Option, read_options

PROGRAM = "u2net-cutout"
ENDING = "Exit status: 0 all done, 1 some failed, 2 wrong usage, 130 interrupted."
# Enough to keep a server's workers busy during transfers; its queue holds 16.
DEFAULT_JOBS = 4
DEFAULT_INTERVAL_S = 1.0


def build_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser; its result's `command` is one of `i`, `p` and `b`."""
    parser = argparse.ArgumentParser(
        program,
        description="Remove the background of pictures, with a cutout server or a model archive.",
        epilog=f"{program} i --help lists the options.",
        formatter_class=_HelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{i,p,b}")

    def add(name: str, summary: str, *forms: str) -> argparse.ArgumentParser:
        beginning = f"{program} {name} [OPTION...] "
        command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            usage=("\n" + " " * len("usage: ")).join(beginning + form for form in forms),
            epilog=ENDING,
            allow_abbrev=False,
            formatter_class=_HelpFormatter,
        )
        _add_server(command)
        add_options(command)
        return command

    files = add("i", "one picture or several", "INPUT OUTPUT", "INPUT... FOLDER", "< IN > OUT")
    files.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="OUTPUT's suffix chooses the format; - is stdin or stdout; -- ends the options",
    )
    _add_work(files)

    folder = add("p", "a folder and all below; existing cutouts are skipped", "INPUT OUTPUT")
    folder.add_argument("input", type=Path, metavar="INPUT", help="folder of pictures")
    folder.add_argument("output", type=Path, metavar="OUTPUT", help="folder of the cutouts")
    _add_work(folder)
    folder.add_argument(
        "-w",
        "--watch",
        action="store_true",
        help="wait for new and changed pictures, until Ctrl-C; replace the cutouts of changed ones",
    )
    folder.add_argument(
        "--interval",
        type=_positive(float),
        default=DEFAULT_INTERVAL_S,
        metavar="SECONDS",
        help="time between scans of --watch; a file unchanged for so long is complete "
        f"(default {DEFAULT_INTERVAL_S:g})",
    )

    frames = add("b", "raw rgb24 frames from stdin, as ffmpeg pipes them", "WIDTH HEIGHT")
    frames.add_argument("width", type=_positive(int), metavar="WIDTH", help="pixels of a row")
    frames.add_argument("height", type=_positive(int), metavar="HEIGHT", help="rows of a frame")
    frames.add_argument(
        "-o",
        "--output",
        metavar="NAME",
        help="numbered files such as frame-%%03u.png; without it raw RGBA to stdout",
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
    group = parser.add_argument_group("the cutout (options of the remove.bg API, and edges)")
    for option in OPTIONS:
        name = f"--{option.name.replace('_', '-')}"
        if option.parse is parse_boolean:
            # With a value it would take the picture after it for one.
            group.add_argument(
                name,
                dest=option.name,
                action="store_const",
                const="true",
                help=_plain(option.meaning),
            )
        else:
            group.add_argument(name, dest=option.name, metavar="VALUE", help=_explained(option))
    group.add_argument(
        "--bg-image-file",
        dest=BACKGROUND_FIELD,
        type=Path,
        metavar="FILE",
        help="background picture, centred and scaled to cover",
    )


def _explained(option: Option) -> str:
    """Return the help of an option: what it is, then a line for each of its values."""
    default = "by OUTPUT's suffix, else png" if option.name == "format" else option.default
    meaning, default = _plain(option.meaning), _plain(default)
    values = {_plain(value): _plain(effect) for value, effect in option.values.items()}
    width = max(map(len, values))
    lines = [f"  {value:{width}}  {effect}" for value, effect in values.items()]
    return "\n".join([f"{meaning} (default: {default})", *lines]).replace("%", "%%")


def _plain(text: str) -> str:
    return text.replace("`", "")


class _HelpFormatter(argparse.HelpFormatter):
    """Keeps the lines of a text; those that it must break go on below their last column."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        lines = []
        for line in text.splitlines():
            words = line.rpartition("  ")[2]
            lines += textwrap.wrap(line, width, subsequent_indent=" " * (len(line) - len(words)))
        return lines


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--archive",
        type=Path,
        metavar="FILE",
        help="model archive to use in place of a server; needs pip install 'u2net-cutout[local]'",
    )
    group = parser.add_argument_group("the server (or an environment variable for each)")
    group.add_argument("--url", help=f"address of the server ({URL}; default {DEFAULT_URL})")
    group.add_argument(
        "--model", help=f"name of the model ({MODEL}; default {DEFAULT_MODEL}, or the gateway's)"
    )
    group.add_argument(
        "--api",
        choices=[api.value for api in Api],
        help="API of the server; a path in the URL decides where there is one "
        f"({API}; default torchserve)\n"
        "  torchserve  TorchServe: /predictions/MODEL, with a token\n"
        "  removebg    remove.bg and gateways: /v1.0/removebg, with an API key",
    )
    group.add_argument(
        "--key",
        help=f"token or API key; in {KEY}, unlike here, other users of this machine can't read it",
    )
    group.add_argument(
        "--key-command",
        metavar="COMMAND",
        help=f"command that prints the key; runs again when the key has expired ({KEY_COMMAND})",
    )
    group.add_argument(
        "--tries",
        type=_positive(int),
        default=TRIES,
        help=f"most requests per picture, if the server is busy or away (default {TRIES})",
    )
    group.add_argument(
        "--timeout",
        type=_positive(float),
        default=TIMEOUT_S,
        metavar="SECONDS",
        help=f"time limit of a request; with --archive, of a picture (default {TIMEOUT_S:.0f})",
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    _add_jobs(parser)
    parser.add_argument("-f", "--force", action="store_true", help="replace existing files")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="print each file that is written"
    )
    parser.add_argument(
        "--composite",
        action="store_true",
        help="send a copy of 960 x 960 pixels, apply its matte to the picture here: fewer bytes; "
        "edges are plain",
    )
    parser.add_argument(
        "--full-names", action="store_true", help="write a.jpg.png for a.jpg, not a.png"
    )


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-j",
        "--jobs",
        type=_positive(int),
        help=f"pictures in flight at once (default {DEFAULT_JOBS}); with --archive, processes, "
        "each with the network in its memory (default: one for each CPU)",
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
