"""The command `p`: a folder and all below, once or as pictures arrive."""

from argparse import Namespace
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from u2net_cutout.cli.cutter import Cutter
from u2net_cutout.cli.messages import print_message
from u2net_cutout.cli.outputs import remove_leftovers
from u2net_cutout.cli.runner import Tally, run
from u2net_cutout.cli.sources import find_pictures, plan
from u2net_cutout.cli.watch import FolderWatch, watch
from u2net_cutout.client.errors import ServerAway, UsageError
from u2net_cutout.contract.formats import OutputFormat


def cut_folder(cutter: Cutter, arguments: Namespace) -> bool:
    """Cut out a folder's pictures; return whether all of them are done.

    Raises:
        UsageError: the folders are not valid.
        KeyboardInterrupt: a signal came; with --watch only if pictures are left.
    """
    source, target = arguments.input, arguments.output
    if not source.is_dir():
        raise UsageError(f"{source} is not a folder: u2net-cutout i takes single pictures")
    if source.resolve().is_relative_to(target.resolve()):
        raise UsageError(
            f"the cutouts need a folder of their own, and {target} holds the pictures: they could "
            "be replaced, and cutouts be cut out again"
        )
    if target.exists():
        if not target.is_dir():
            raise UsageError(f"{target} is not a folder")
        remove_leftovers(target)
    cutter.default_format(OutputFormat.PNG)
    if arguments.watch:
        return _watch(cutter, arguments)
    tally = _cut_out(cutter, arguments)
    print_message(tally.report())
    cutter.report_traffic()
    if tally.interrupted:
        raise KeyboardInterrupt
    return tally.is_clean


def _cut_out(
    cutter: Cutter,
    arguments: Namespace,
    chosen: Collection[Path] | None = None,
    changed: Collection[Path] = (),
) -> Tally:
    """Cut out all pictures of the folder, or only the chosen ones.

    The cutouts of those that have `changed` are replaced.
    """
    pictures, unread = find_pictures(arguments.input, apart_from=arguments.output)
    planned = plan(
        pictures,
        arguments.input,
        arguments.output,
        cutter.output_format,
        full_names=arguments.full_names,
    )
    jobs = [
        replace(job, replaces=job.source in changed)
        for job in planned.jobs
        if chosen is None or job.source in chosen
    ]
    clashes = {
        picture: words
        for picture, words in planned.clashes.items()
        if chosen is None or picture in chosen
    }
    failures = clashes | {
        folder: f"can't be read: {error.strerror}"
        for folder, error in unread.items()
        # In a watched folder others appear and disappear.
        if chosen is None or not isinstance(error, FileNotFoundError)
    }
    missing = [job for job in jobs if cutter.replaces(job) or not job.existing()]
    tally = Tally(skipped=len(jobs) - len(missing), failures=failures)
    run(
        missing,
        cutter.do,
        cutter.client.stopping,
        tally,
        threads=arguments.jobs,
        progress=chosen is None,
    )
    return tally


def _watch(cutter: Cutter, arguments: Namespace) -> bool:
    """Cut out what is there, what arrives and what changes; wait while the server is away."""
    watched, clean, stopping = FolderWatch(), True, cutter.client.stopping
    left: set[Path] = set()

    def scan() -> list[Path]:
        return find_pictures(arguments.input, apart_from=arguments.output)[0]

    try:
        for settled in watch(scan, watched, stopping, arguments.interval):
            tally = _cut_out(cutter, arguments, frozenset(settled), watched.changed)
            print_message(tally.report())
            clean = clean and not tally.failures
            if tally.interrupted:
                left = tally.left
                break
            if isinstance(tally.unusable, ServerAway):
                stopping.clear()
                watched.forget(tally.left)
            elif tally.unusable:
                return False
    except KeyboardInterrupt:
        pass
    if left:
        raise KeyboardInterrupt
    return clean
