"""The command u2net-cutout: pictures to cutouts, by a cutout server or a model archive."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from u2net_cutout.cli.arguments import DEFAULT_JOBS, PROGRAM, build_parser, chosen_options
from u2net_cutout.cli.cutter import Cutter, StoppableService
from u2net_cutout.cli.files import cut_files
from u2net_cutout.cli.folder import cut_folder
from u2net_cutout.cli.frames import cut_frames
from u2net_cutout.cli.interrupts import end_interrupted, interruptible
from u2net_cutout.cli.messages import RetryReport, print_message
from u2net_cutout.client.client import TRIES, CutoutClient
from u2net_cutout.client.credentials import ApiKey
from u2net_cutout.client.errors import ClientError, UsageError
from u2net_cutout.client.local_options import check_possible
from u2net_cutout.client.settings import connect

if TYPE_CHECKING:
    from u2net_cutout.local.processes import CutoutProcesses

DONE, FAILED, USAGE = 0, 1, 2
# Options that mean nothing without one.
OF_A_SERVER = ("url", "model", "api", "key", "key_command", "composite")
COMMANDS = {"i": cut_files, "p": cut_folder, "b": cut_frames}


def main(
    arguments: Sequence[str] | None = None, *, key: ApiKey | None = None, program: str = PROGRAM
) -> None:
    """Run the command line and exit; `key` takes the place of the arguments' and environment's."""
    parsed = build_parser(program).parse_args(arguments)
    try:
        with interruptible():
            status = _status(parsed, key, program)
    except KeyboardInterrupt:
        # Not sys.exit, which would wait for the requests in flight.
        end_interrupted()
    sys.exit(status)


def _status(arguments: Namespace, key: ApiKey | None, program: str) -> int:
    try:
        return DONE if _run(arguments, key) else FAILED
    except (ClientError, OSError) as error:
        print_message(f"{program}: {error}")
        return USAGE if isinstance(error, UsageError) else FAILED


def _run(arguments: Namespace, key: ApiKey | None) -> bool:
    with _processes(arguments) if arguments.archive else _client(arguments, key) as service:
        return COMMANDS[arguments.command](_cutter(service, arguments), arguments)


def _client(arguments: Namespace, key: ApiKey | None) -> CutoutClient:
    arguments.jobs = arguments.jobs or DEFAULT_JOBS
    return connect(
        arguments.url,
        key=key or arguments.key,
        key_command=arguments.key_command,
        model=arguments.model,
        api=arguments.api,
        tries=arguments.tries,
        timeout_s=arguments.timeout,
        connections=arguments.jobs,
        on_retry=RetryReport(),
    )


def _processes(arguments: Namespace) -> "CutoutProcesses":
    given = [name for name in OF_A_SERVER if getattr(arguments, name, None)]
    if given or arguments.tries != TRIES:
        name = given[0] if given else "tries"
        raise UsageError(f"--archive excludes --{name.replace('_', '-')}, which is for a server")
    # Not above: a client does without.
    from u2net_cutout.local.opening import usable_cpus
    from u2net_cutout.local.processes import CutoutProcesses

    cpus = usable_cpus()
    # One picture alone gets all CPUs.
    several = arguments.command != "i" or len(arguments.paths) > 2
    arguments.jobs = arguments.jobs or (cpus if several else 1)
    threads = max(1, cpus // arguments.jobs)
    return CutoutProcesses(arguments.archive, arguments.jobs, threads, arguments.timeout)


def _cutter(service: StoppableService, arguments: Namespace) -> Cutter:
    fields = chosen_options(arguments)
    background = _read_background(arguments.bg_image_file)
    local = getattr(arguments, "composite", False)
    if local:
        check_possible(fields)
        if background is not None:
            raise UsageError("--composite excludes --bg-image-file")
    force, verbose = (getattr(arguments, name, False) for name in ("force", "verbose"))
    return Cutter(service, fields, background, local=local, force=force, verbose=verbose)


def _read_background(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path else None
    except OSError as error:
        raise UsageError(f"--bg-image-file: {error}") from error
