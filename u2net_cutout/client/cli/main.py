"""The command u2net-cutout: pictures to cutouts, by a cutout server."""

import os
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from u2net_cutout.client.cli.arguments import PROGRAM, build_parser
from u2net_cutout.client.cli.cutter import Cutter
from u2net_cutout.client.cli.files import cut_files
from u2net_cutout.client.cli.folder import cut_folder
from u2net_cutout.client.cli.frames import cut_frames
from u2net_cutout.client.cli.option_arguments import chosen_options
from u2net_cutout.client.client import CutoutClient
from u2net_cutout.client.credentials import ApiKey
from u2net_cutout.client.errors import ClientError, UsageError
from u2net_cutout.client.local_options import check_possible
from u2net_cutout.client.settings import connect

FAILED, USAGE, INTERRUPTED = 1, 2, 130
COMMANDS = {"i": cut_files, "p": cut_folder, "b": cut_frames}


def main(
    arguments: Sequence[str] | None = None, *, key: ApiKey | None = None, program: str = PROGRAM
) -> None:
    """Run the command line and exit; `key` is for those who know the server better."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parsed = build_parser(program).parse_args(arguments)
    try:
        sys.exit(0 if _run(parsed, key) else FAILED)
    except UsageError as error:
        print(f"{program}: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except (ClientError, OSError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        # Not sys.exit: it would wait for the answers that are still to come.
        os._exit(INTERRUPTED)


def _run(arguments: Namespace, key: ApiKey | None) -> bool:
    with _client(arguments, key) as client:
        return COMMANDS[arguments.command](_cutter(client, arguments), arguments)


def _client(arguments: Namespace, key: ApiKey | None) -> CutoutClient:
    return connect(
        arguments.url,
        key=key or arguments.key,
        key_command=arguments.key_command,
        model=arguments.model,
        api=arguments.api,
        tries=arguments.tries,
        timeout_s=arguments.timeout,
        connections=arguments.jobs,
    )


def _cutter(client: CutoutClient, arguments: Namespace) -> Cutter:
    fields = chosen_options(arguments)
    background = _read_background(arguments.bg_image_file)
    at_home = getattr(arguments, "composite", False)
    if at_home:
        check_possible(fields)
        if background is not None:
            raise UsageError("--composite can't be had with --bg-image-file")
    force = getattr(arguments, "force", False)
    return Cutter(client, fields, background, at_home=at_home, force=force)


def _read_background(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path else None
    except OSError as error:
        raise UsageError(f"--bg-image-file: {error}") from error
