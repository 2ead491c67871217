"""The client on folders, against a real TorchServe: interrupted, killed, resumed, watched."""

import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from scripts.common.http import local_session
from tests.served.client_runs import client, start
from tests.served.conftest import Served

# The more, the longer it takes: 50 were tried by hand.
PICTURES = int(os.environ.get("U2NET_TEST_PICTURES", "24"))
JOBS = 2


@pytest.fixture
def folder(photo_files: list[Path], tmp_path: Path) -> Path:
    """Pictures in two folders."""
    for number in range(PICTURES):
        place = tmp_path / "in" / ("a b" if number % 2 else "ü")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo_files[1], place / f"{number:03}.png")
    return tmp_path / "in"


def good_answers(served: Served) -> int:
    """How many pictures the server has cut out."""
    time.sleep(0.5)  # the last one is counted after its response
    headers = {"Authorization": f"Bearer {served.api.token('inference')}"}
    text = local_session().get(f"{served.config.metrics_address}/metrics", headers=headers).text
    found = re.findall(r'^cutout_answers_total\{.*Status="200".*\} (\d+)', text, re.MULTILINE)
    return sum(map(int, found))


def cutouts(out: Path) -> dict[str, tuple[int, int]]:
    """The cutouts that are there, and when and as which file each was written."""
    return {
        str(file.relative_to(out)): (file.stat().st_ino, file.stat().st_mtime_ns)
        for file in out.rglob("*.png")
    }


def wait_for(condition: Callable[[], object], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_is_gone_on_with(
    served: Served, folder: Path, tmp_path: Path, how: signal.Signals
) -> None:
    out, before = tmp_path / "out", good_answers(served)
    arguments = ("p", folder, out, "--jobs", str(JOBS))
    running = start(served, *arguments)
    wait_for(lambda: len(cutouts(out)) >= PICTURES // 4)
    running.send_signal(how)
    said = running.communicate()[1].decode()
    first = cutouts(out)

    resumed = client(served, *arguments)
    again = client(served, *arguments)

    assert running.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130), said
    assert len(first) < PICTURES
    assert resumed.returncode == again.returncode == 0
    rest = PICTURES - len(first)
    assert f"{rest} done, {len(first)} skipped, done before" in resumed.stderr.decode()
    assert again.stderr.decode().strip() == f"{PICTURES} skipped, done before"
    last = cutouts(out)
    assert len(last) == PICTURES
    assert first.items() <= last.items()
    sizes = {file.stat().st_size for file in out.rglob("*.png")}
    assert len(sizes) == 1
    asked = good_answers(served) - before
    # What was in hand when it was killed is lost; an interrupt waits for it.
    assert PICTURES <= asked <= PICTURES + (JOBS if how == signal.SIGKILL else 0)


def test_a_worker_that_dies_costs_no_picture(served: Served, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    running = start(served, "p", folder, out, "--jobs", "4")
    wait_for(lambda: cutouts(out))
    for pid in served.worker_pids():
        psutil.Process(pid).kill()

    said = running.communicate(timeout=100)[1].decode()

    assert running.returncode == 0, said
    assert len(cutouts(out)) == PICTURES
    served.api.wait_until_ready("u2netp", "1.0", 1)


def test_what_comes_is_cut_out_once_it_is_whole(
    served: Served, photo_files: list[Path], tmp_path: Path
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    photo = photo_files[1].read_bytes()
    (source / "first.png").write_bytes(photo)
    (source / "bad.jpg").write_text("no picture")
    running = start(served, "p", "--watch", "--interval", "0.3", source, out)
    wait_for((out / "first.png").exists)

    with (source / "second.png").open("wb") as slow:
        for part in range(8):
            slow.write(photo[part * len(photo) // 8 : (part + 1) * len(photo) // 8])
            slow.flush()
            time.sleep(0.1)
    wait_for((out / "second.png").exists)
    running.send_signal(signal.SIGINT)

    said = running.communicate(timeout=30)[1].decode()
    assert running.returncode == 1
    assert said.count("bad.jpg: invalid_file_type") == 1
    assert "second" not in said
    assert len({file.read_bytes() for file in out.iterdir()}) == 1


def test_a_folder_of_all_kinds_is_done_as_far_as_it_can_be(
    served: Served, photo_files: list[Path], tmp_path: Path
) -> None:
    source, out = tmp_path / "in", tmp_path / "in" / "cut"
    (source / "sub").mkdir(parents=True)
    for name in ("a.png", "same.png", "sub/-ü b.png"):
        shutil.copy(photo_files[1], source / name)
    shutil.copy(photo_files[3], source / "same.jpg")
    (source / "empty.jpg").touch()
    (source / "notes.txt").touch()

    done = client(served, "p", source, out, "--format", "auto", "--bg-color", "white")
    full = client(served, "p", source, out, "--format", "auto", "--full-names")

    assert done.returncode == full.returncode == 1
    said = done.stderr.decode()
    assert "2 done, 3 failed" in said
    assert f"{source / 'same.jpg'} would become {out / 'same'} as well: --full-names" in said
    assert "4 done, 1 failed" in full.stderr.decode()
    assert {str(file.relative_to(out)) for file in out.rglob("*.*")} == {
        *("a.jpg", "sub/-ü b.jpg"),
        *("a.png.png", "same.png.png", "same.jpg.png", "sub/-ü b.png.png"),
    }


def test_a_server_that_is_away_ends_the_run(served: Served, folder: Path, tmp_path: Path) -> None:
    away = ("--url", "http://127.0.0.1:9", "--tries", "2", "--jobs", "1")

    done = client(served, "p", folder, tmp_path / "out", *away)

    assert done.returncode == 1
    retried, *report = done.stderr.decode().splitlines()
    assert retried.startswith(f"{report[0]}; trying again in ")
    assert report == [
        "no connection to http://127.0.0.1:9/predictions/u2netp: check the address, or start the "
        "server (make serve)",
        f"{PICTURES} not tried",
    ]
