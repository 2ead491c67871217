"""The command `i`: one picture or several, or one through a pipe."""

import sys
from argparse import Namespace
from pathlib import Path

from u2net_cutout.client.cli.cutter import Cutter
from u2net_cutout.client.cli.outputs import format_of, write_whole
from u2net_cutout.client.cli.runner import Tally, run
from u2net_cutout.client.cli.sources import Job, Plan, plan
from u2net_cutout.client.errors import UsageError
from u2net_cutout.contract.formats import OutputFormat

PIPE = Path("-")


def cut_files(cutter: Cutter, arguments: Namespace) -> bool:
    """Cut out what the paths name; return whether all of it is done.

    Raises:
        UsageError: the paths make no sense.
        ClientError, OSError: what goes through a pipe has no cutout.
        KeyboardInterrupt: the user has ended it.
    """
    sources, target = _sources_and_target(arguments.paths)
    if PIPE in (*sources, target):
        _cut_piped(cutter, sources, target)
        return True
    planned = _plan(cutter, sources, target, arguments)
    tally = Tally(failures=planned.clashes)
    run(
        planned.jobs,
        cutter.do,
        cutter.client.stopping,
        tally,
        threads=arguments.jobs,
        progress=len(sources) > 1,
    )
    if len(sources) > 1 or not tally.is_clean:
        print(tally.report(), file=sys.stderr)
    cutter.tell_traffic()
    if tally.interrupted:
        raise KeyboardInterrupt
    return tally.is_clean


def _sources_and_target(paths: list[Path]) -> tuple[list[Path], Path]:
    *sources, target = paths if len(paths) > 1 else [*(paths or [PIPE]), PIPE]
    for source in sources:
        if source.is_dir():
            raise UsageError(f"{source} is a folder: u2net-cutout p {source} OUTPUT")
    if len(sources) > 1:
        if PIPE in (*sources, target):
            raise UsageError("only one picture goes through a pipe")
        if not target.is_dir():
            raise UsageError(f"several pictures need a folder to go to; {target} is none")
    return sources, target


def _plan(cutter: Cutter, sources: list[Path], target: Path, arguments: Namespace) -> Plan:
    if target.is_dir():
        wanted = cutter.ask_for_format(OutputFormat.PNG)
        planned = plan(sources, None, target, wanted, full_names=arguments.full_names)
    else:
        planned = Plan([Job(sources[0], target, (_named_format(cutter, target),))], {})
    pictures = {_identity(source) for source in sources}
    for job in planned.jobs:
        for target_file in map(job.target_as, job.formats):
            if _identity(target_file) in pictures:
                raise UsageError(
                    f"{job.source} would become {target_file}, which is one of the pictures: name "
                    "another file or folder"
                )
    return planned


def _identity(path: Path) -> object:
    """Return what two names of one file have in common."""
    try:
        found = path.stat()
    except OSError:  # there is none yet
        return path.resolve()
    return found.st_dev, found.st_ino


def _named_format(cutter: Cutter, target: Path) -> OutputFormat:
    """Return the format that a file's name says, and ask for it.

    Raises:
        UsageError: --format says another.
    """
    named = format_of(target)
    if (asked := cutter.ask_for_format(named)) is not named:
        raise UsageError(f"{target} is no name for --format {asked.value}")
    return named


def _cut_piped(cutter: Cutter, sources: list[Path], target: Path) -> None:
    if target != PIPE:
        _named_format(cutter, target)
        if target.exists() and not cutter.force:
            raise UsageError(f"{target} is there already: --force replaces it")
    else:
        cutter.ask_for_format(OutputFormat.PNG)
        if sys.stdout.isatty():
            raise UsageError("a picture is nothing to read: name OUTPUT, or send it into a pipe")
    (source,) = sources
    if source == PIPE and sys.stdin.isatty():
        raise UsageError("name INPUT, or send a picture through a pipe; --help tells more")
    picture = sys.stdin.buffer.read() if source == PIPE else source.read_bytes()
    content = cutter.cut_out(picture).content
    if target == PIPE:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_whole(target, content, force=cutter.force)
    cutter.tell_traffic()
