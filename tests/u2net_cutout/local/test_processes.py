import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT
from tests.u2net_cutout.local.changed_archives import repacked
from u2net_cutout import ArchiveUnusable, Refused, open_archive
from u2net_cutout.local.processes import CutoutProcesses

PNG = {"format": "png"}


@pytest.fixture(scope="module")
def processes(archive: Path) -> Iterator[CutoutProcesses]:
    with CutoutProcesses(archive, count=3, threads=1, timeout_s=8) as started:
        yield started
    assert children() == []


def children() -> list[psutil.Process]:
    """The processes that cut out; not the one that multiprocessing keeps."""
    return [
        child
        for child in psutil.Process().children()
        if any("spawn_main" in word for word in child.cmdline())
    ]


def test_a_cutout_is_that_of_the_opened_archive_and_one_process_is_enough_for_one_thread(
    processes: CutoutProcesses, archive: Path, photo_files: list[Path]
) -> None:
    background = photo_files[2].read_bytes()
    pictures = [photo.read_bytes() for photo in photo_files[:2]]
    assert children() == []

    found = [processes.cut_out(picture, PNG, background) for picture in pictures]

    assert len(children()) == 1
    with open_archive(archive) as model:
        assert found == [model.cut_out(picture, PNG, background) for picture in pictures]


def test_an_error_comes_as_it_is(processes: CutoutProcesses) -> None:
    with pytest.raises(Refused, match="invalid_file_type") as told:
        processes.cut_out(b"no picture", PNG)

    assert (told.value.status, told.value.code) == (415, "invalid_file_type")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("kill", "the process that cut it out died of SIGKILL"),
        ("suspend", "no cutout within 8 s: its process was ended"),
    ],
)
def test_a_process_that_dies_or_hangs_costs_its_picture_alone(
    processes: CutoutProcesses, photo_files: list[Path], what: str, words: str
) -> None:
    photo = photo_files[1].read_bytes()
    before = processes.cut_out(photo, PNG)
    (child,) = children()
    getattr(child, what)()

    with pytest.raises(Refused, match=words):
        processes.cut_out(photo, PNG)

    assert not child.is_running()
    assert processes.cut_out(photo, PNG) == before


def test_an_archive_that_no_process_can_load_is_said(archive: Path, tmp_path: Path) -> None:
    damaged = repacked(archive, tmp_path / "damaged.mar", {"u2netp.bin": b"weights"})
    before = len(children())

    with (
        CutoutProcesses(damaged, count=1, threads=1, timeout_s=60) as processes,
        pytest.raises(ArchiveUnusable, match=r"u2netp.bin is damaged"),
    ):
        processes.cut_out(b"photo", PNG)

    assert len(children()) == before


def test_a_file_that_is_no_archive_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ArchiveUnusable, match="No such file"):
        CutoutProcesses(tmp_path / "gone.mar", count=1, threads=1, timeout_s=60)


def test_what_ends_the_command_ends_its_processes_and_nothing_before(
    archive: Path, photo_files: list[Path]
) -> None:
    """Signals to the whole group do nothing to the processes; the command's own end ends them."""
    code = (
        "import signal, sys, time\n"
        "from pathlib import Path\n"
        "from u2net_cutout.local.processes import CutoutProcesses\n"
        "if __name__ == '__main__':\n"
        "    for name in ('SIGINT', 'SIGTERM', 'SIGHUP'):\n"
        "        signal.signal(getattr(signal, name), lambda *_: None)\n"
        "    processes = CutoutProcesses(Path(sys.argv[1]), 1, 1, 60)\n"
        "    photo = Path(sys.argv[2]).read_bytes()\n"
        "    while True:\n"
        "        print(len(processes.cut_out(photo, {'format': 'png'}).content), flush=True)\n"
    )
    command = subprocess.Popen(
        [sys.executable, "-c", code, str(archive), str(photo_files[1])],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with command:
        assert command.stdout is not None
        size = command.stdout.readline()
        (child,) = (
            each
            for each in psutil.Process(command.pid).children()
            if any("spawn_main" in word for word in each.cmdline())
        )
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.killpg(command.pid, each)
        assert [command.stdout.readline() for _ in range(2)] == [size, size]
        assert child.is_running()
        command.kill()

    deadline = time.monotonic() + 30
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
