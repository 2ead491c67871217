"""The command line of u2net-cutout; its three commands are called as rembg's are."""

import argparse
import math
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from u2net_cutout.client.cli.option_arguments import add_options
from u2net_cutout.client.client import TIMEOUT_S, TRIES
from u2net_cutout.client.endpoint import DEFAULT_MODEL, DEFAULT_URL, Api
from u2net_cutout.client.settings import API, KEY, KEY_COMMAND, MODEL, URL

PROGRAM = "u2net-cutout"
# Enough to keep a server's workers busy while answers are on their way; its queue holds 16.
DEFAULT_JOBS = 4
DEFAULT_INTERVAL_S = 1.0


def build_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser; `command` tells which of the three is meant."""
    parser = argparse.ArgumentParser(
        program, description="Cut the foreground out of pictures, by a cutout server."
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

    folder = add("p", "a folder and all below; what is done already is skipped")
    folder.add_argument("input", type=Path, metavar="INPUT")
    folder.add_argument("output", type=Path, metavar="OUTPUT")
    _add_work(folder)
    folder.add_argument(
        "-w", "--watch", action="store_true", help="go on with pictures that come, until Ctrl-C"
    )
    folder.add_argument(
        "--interval",
        type=_positive(float),
        default=DEFAULT_INTERVAL_S,
        metavar="SECONDS",
        help="between looks of --watch; a file unchanged for so long is complete",
    )

    frames = add("b", "raw rgb24 frames from stdin, as ffmpeg pipes them")
    frames.add_argument("width", type=_positive(int), metavar="WIDTH")
    frames.add_argument("height", type=_positive(int), metavar="HEIGHT")
    frames.add_argument(
        "-o", "--output", help="files such as frame-%%03u.png; otherwise raw RGBA to stdout"
    )
    _add_jobs(frames)
    return parser


def _add_server(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the server")
    group.add_argument(
        "--url", help=f"root of the server, or its full address ({URL}; default {DEFAULT_URL})"
    )
    group.add_argument("--model", help=f"name of the model ({MODEL}; default {DEFAULT_MODEL})")
    group.add_argument(
        "--api",
        choices=[api.value for api in Api],
        help=f"form of address and key, where the URL does not tell ({API}; default torchserve)",
    )
    group.add_argument("--key", help=f"token or API key ({KEY}; there others don't see it)")
    group.add_argument(
        "--key-command",
        metavar="COMMAND",
        help=f"prints the key; run again once it has run out ({KEY_COMMAND})",
    )
    group.add_argument(
        "--tries",
        type=_positive(int),
        default=TRIES,
        help=f"for each picture, while the server is busy or away (default {TRIES})",
    )
    group.add_argument(
        "--timeout",
        type=_positive(float),
        default=TIMEOUT_S,
        metavar="SECONDS",
        help=f"for an answer (default {TIMEOUT_S:.0f})",
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    _add_jobs(parser)
    parser.add_argument("-f", "--force", action="store_true", help="replace files that are there")
    parser.add_argument(
        "--composite",
        action="store_true",
        help="send a copy of 960 x 960 pixels and cut out here: saves bytes; edges are plain",
    )
    parser.add_argument(
        "--full-names", action="store_true", help="a.jpg becomes a.jpg.png, not a.png"
    )


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-j",
        "--jobs",
        type=_positive(int),
        default=DEFAULT_JOBS,
        help=f"pictures under way at once (default {DEFAULT_JOBS})",
    )


def _positive(kind: type[int] | type[float]) -> Callable[[str], int | float]:
    def read(text: str) -> int | float:
        value = kind(text)
        if not 0 < value < math.inf:
            raise ValueError
        return value

    read.__name__ = "number above 0"  # argparse tells it: invalid number above 0 value
    return read


def _version() -> str:
    try:
        return version(PROGRAM)
    except PackageNotFoundError:  # run out of the repository
        return "(not installed)"
