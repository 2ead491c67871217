"""Follow the documents: run their commands in order, as a reader does.

A document's ```sh and ```python blocks run one after the other in one bash, which ends at the first
command that fails; the documents come in the order in which README.md leads to them. All of it
happens in a copy of the repository, with the photos that the documents speak of. Commands that
can't run anywhere are in blocks of other kinds. Servers listen on ``PORT`` and ``LISTEN``.
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scripts.common.errors import CommandError
from scripts.common.options import OptionParser, duration
from scripts.common.paths import ROOT
from scripts.documents.blocks import Block, blocks, documents
from scripts.documents.clone import copy_repository, prepare_photos, share

LAST_LINES = 30
# Of the calling make; the copy has its own.
OUTER_VARIABLES = ("BUILD", "WHEELS", "PYTHONPATH", "DOCS", "FRESH")


class DocumentError(CommandError):
    """A document can't be followed; the message says where, and the end of its output."""


def follow(
    document: Path, root: Path, environment: Mapping[str, str], logs: Path, limit_s: float
) -> None:
    """Run the blocks of a document, and print a line for each when it ends.

    Raises:
        DocumentError: a command fails, or it takes longer than `limit_s`.
    """
    todo = blocks((root / document).read_text(encoding="utf-8"))
    if not todo:
        return
    outputs = [logs / f"{document.stem}-{block.line}.log" for block in todo]
    # Each block writes into a file of its own: servers that it leaves behind keep no pipe open.
    script = "set -e -o pipefail\n" + "".join(
        f"exec > '{output}' 2>&1\n{block.script}"
        for block, output in zip(todo, outputs, strict=True)
    )
    command = ["bash", "-c", script]
    process = subprocess.Popen(
        command,
        cwd=root,
        # As with the environment activated; a document may put another before it.
        env={**environment, "PATH": f"{root / '.venv' / 'bin'}:{environment['PATH']}"},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        last = _watch(document, todo, outputs, process, time.monotonic() + limit_s)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    if process.returncode != 0:
        words = outputs[last].read_text(encoding="utf-8", errors="replace").splitlines()
        why = "it took too long" if process.returncode < 0 else f"exit {process.returncode}"
        raise DocumentError(
            f"{document}:{todo[last].line}: {why}\n" + "\n".join(words[-LAST_LINES:])
        )


def _watch(
    document: Path,
    todo: Sequence[Block],
    outputs: Sequence[Path],
    process: subprocess.Popen[bytes],
    deadline: float,
) -> int:
    """Print a line for each block when it ends; return the index of the last one that began."""
    current, start = 0, time.monotonic()
    while True:
        ended = process.poll() is not None
        begun = max((index for index, each in enumerate(outputs) if each.exists()), default=0)
        while current < begun:
            now = time.monotonic()
            print(f"{document}:{todo[current].line}: ok, {now - start:.1f} s", flush=True)
            current, start = current + 1, now
        if ended:
            if process.returncode == 0:
                print(f"{document}:{todo[current].line}: ok, {time.monotonic() - start:.1f} s")
            return current
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        time.sleep(0.1)


def follow_all(chosen: Sequence[Path], build: Path, *, fresh: bool, limit_s: float) -> None:
    """Follow documents in a copy, and end what they leave running.

    Raises:
        CopyError, DocumentError: one can't be followed.
    """
    with tempfile.TemporaryDirectory(prefix="follow-") as scratch:
        clone, logs = Path(scratch) / "clone", Path(scratch) / "logs"
        clone.mkdir()
        logs.mkdir()
        copy_repository(clone)
        if not fresh:
            share(clone, build)
        prepare_photos(clone)
        environment = dict(_environment())
        try:
            for document in chosen:
                follow(document, clone, environment, logs, limit_s)
        finally:
            _end_servers(clone, environment)


def _end_servers(clone: Path, environment: Mapping[str, str]) -> None:
    """End what documents left running, also below build folders and on ports of their own."""
    ended = [["gateway-stop"]]
    for servers in (*clone.glob("build/servers"), *clone.glob("build/*/servers")):
        ports = [each.name for each in servers.iterdir() if each.name.isdigit()]
        build = servers.parent.relative_to(clone)
        ended += [["stop", "NOW=1", f"PORT={port}", f"BUILD={build}"] for port in ports]
    for arguments in ended:
        command = ["make", "--silent", *arguments]
        subprocess.run(command, cwd=clone, env=environment, capture_output=True, check=False)


def _environment() -> Iterator[tuple[str, str]]:
    """Yield the variables for the commands: a reader's, not those of the make that calls this."""
    for name, value in os.environ.items():
        if not name.startswith(("MAKE", "MFLAGS", "GNUMAKE")) and name not in OUTER_VARIABLES:
            yield name, value
    if "PORT" in os.environ and "LISTEN" not in os.environ:
        yield "LISTEN", f"127.0.0.1:{int(os.environ['PORT']) + 3}"


def follow_docs(line: Sequence[str]) -> None:
    """Run the commands of the documents, in a copy of the repository."""
    parser = OptionParser("follow-docs", "Run the commands of the documents, in a copy.")
    parser.take("build", "fresh")
    parser.add_argument("documents", nargs="*", type=Path, help="by default, all")
    parser.add_argument("--limit", type=duration, default=900, help="seconds for a document")
    arguments = parser.parse_args(line)
    chosen = arguments.documents or documents(ROOT)
    # A shell that runs it in the background has it ignore ^C, and so would what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    follow_all(chosen, arguments.build, fresh=arguments.fresh, limit_s=arguments.limit)
