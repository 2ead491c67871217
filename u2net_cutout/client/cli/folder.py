"""The command `p`: a folder and all below, once or as pictures come."""

import sys
from argparse import Namespace
from collections.abc import Collection
from pathlib import Path

from u2net_cutout.client.cli.cutter import Cutter
from u2net_cutout.client.cli.outputs import remove_leftovers
from u2net_cutout.client.cli.runner import Tally, run
from u2net_cutout.client.cli.sources import find_pictures, plan
from u2net_cutout.client.cli.watch import FolderWatch, watch
from u2net_cutout.client.errors import ServerAway, UsageError
from u2net_cutout.contract.formats import OutputFormat


def cut_folder(cutter: Cutter, arguments: Namespace) -> bool:
    """Cut out a folder's pictures; return whether all of them are done.

    Raises:
        UsageError: the folders make no sense.
        KeyboardInterrupt: the user has ended it; a watch is ended so, and returns.
    """
    source, target = arguments.input, arguments.output
    if not source.is_dir():
        raise UsageError(f"{source} is no folder: u2net-cutout i takes single pictures")
    if source.resolve().is_relative_to(target.resolve()):
        raise UsageError(
            f"the cutouts need a folder of their own, and {target} holds the pictures: they could "
            "be replaced, and cutouts be cut out again"
        )
    if target.exists():
        if not target.is_dir():
            raise UsageError(f"{target} is no folder")
        remove_leftovers(target)
    cutter.ask_for_format(OutputFormat.PNG)
    if arguments.watch:
        return _watch(cutter, arguments)
    tally = _cut_out(cutter, arguments)
    print(tally.report(), file=sys.stderr)
    cutter.tell_traffic()
    if tally.interrupted:
        raise KeyboardInterrupt
    return tally.is_clean


def _cut_out(cutter: Cutter, arguments: Namespace, chosen: Collection[Path] | None = None) -> Tally:
    """Cut out all the pictures that there are now, or only the chosen ones of them."""
    pictures, unread = find_pictures(arguments.input, apart_from=arguments.output)
    planned = plan(
        pictures,
        arguments.input,
        arguments.output,
        cutter.output_format,
        full_names=arguments.full_names,
    )
    jobs = [job for job in planned.jobs if chosen is None or job.source in chosen]
    clashes = {
        picture: words
        for picture, words in planned.clashes.items()
        if chosen is None or picture in chosen
    }
    failures = clashes | {
        folder: f"can't be read: {error.strerror}"
        for folder, error in unread.items()
        # In a watched folder others come and go.
        if chosen is None or not isinstance(error, FileNotFoundError)
    }
    missing = [job for job in jobs if cutter.force or job.existing() is None]
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
    """Cut out what is there and what comes; a server that is away for a while is waited for."""
    watched, clean, stopping = FolderWatch(), True, cutter.client.stopping

    def look() -> list[Path]:
        return find_pictures(arguments.input, apart_from=arguments.output)[0]

    try:
        for settled in watch(look, watched, stopping, arguments.interval):
            tally = _cut_out(cutter, arguments, chosen=frozenset(settled))
            print(tally.report(), file=sys.stderr, flush=True)
            clean = clean and not tally.failures
            if tally.interrupted:
                return clean
            if isinstance(tally.unusable, ServerAway):
                stopping.clear()
                watched.forget(tally.left)
            elif tally.unusable:
                return False
    except KeyboardInterrupt:
        pass
    return clean
