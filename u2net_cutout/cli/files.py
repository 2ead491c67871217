"""The command `i`: one picture or several, or one through a pipe."""

import sys
from argparse import Namespace
from pathlib import Path

from u2net_cutout.cli.cutter import Cutter
from u2net_cutout.cli.messages import print_message
from u2net_cutout.cli.outputs import SUFFIXES, format_of, write_whole
from u2net_cutout.cli.runner import Tally, run
from u2net_cutout.cli.sources import PICTURE_SUFFIXES, Job, Plan, plan
from u2net_cutout.client.errors import UsageError
from u2net_cutout.contract.formats import OutputFormat

PIPE = Path("-")
# No new folder is called so: the name of the folder has been forgotten.
NAMES_OF_FILES = PICTURE_SUFFIXES | SUFFIXES.keys()


def cut_files(cutter: Cutter, arguments: Namespace) -> bool:
    """Cut out the pictures that the paths name; return whether all are done.

    Raises:
        UsageError: the paths are not valid.
        ClientError, OSError: the picture of a pipe can't be cut out.
        KeyboardInterrupt: a signal came.
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
        print_message(tally.report())
    cutter.report_traffic()
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
            raise UsageError("a pipe takes only one picture")
        if target.exists() and not target.is_dir():
            raise UsageError(f"several pictures need a folder for OUTPUT; {target} is a file")
        if not target.exists() and target.suffix.lower() in NAMES_OF_FILES:
            raise UsageError(
                f"several pictures need a folder for OUTPUT; {target} is the name of a file"
            )
    return sources, target


def _plan(cutter: Cutter, sources: list[Path], target: Path, arguments: Namespace) -> Plan:
    if len(sources) > 1 or target.is_dir():
        wanted = cutter.default_format(OutputFormat.PNG)
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
    """Return what is the same for two names of one file."""
    try:
        found = path.stat()
    except OSError:  # it does not exist yet
        return path.resolve()
    return found.st_dev, found.st_ino


def _named_format(cutter: Cutter, target: Path) -> OutputFormat:
    """Return the format of a file's suffix, and request it.

    Raises:
        UsageError: --format names another.
    """
    named = format_of(target)
    if (chosen := cutter.default_format(named)) is not named:
        raise UsageError(f"the suffix of {target} does not fit --format {chosen.value}")
    return named


def _cut_piped(cutter: Cutter, sources: list[Path], target: Path) -> None:
    if target != PIPE:
        _named_format(cutter, target)
        if target.exists() and not cutter.force:
            raise UsageError(f"{target} exists: --force replaces it")
    else:
        cutter.default_format(OutputFormat.PNG)
        if sys.stdout.isatty():
            raise UsageError("stdout is a terminal: name OUTPUT, or send the cutout into a pipe")
    (source,) = sources
    if source == PIPE and sys.stdin.isatty():
        raise UsageError(
            "stdin is a terminal: name INPUT, or send a picture through a pipe; see --help"
        )
    picture = sys.stdin.buffer.read() if source == PIPE else source.read_bytes()
    content = cutter.cut_out(picture).content
    if target == PIPE:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_whole(target, content, force=cutter.force)
    cutter.report_traffic()
