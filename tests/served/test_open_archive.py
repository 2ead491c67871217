"""docs/off-torchserve.md: an archive that is opened without its server gives the server's bytes."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.served.client_runs import COMMAND, client
from tests.served.conftest import Served
from u2net_cutout import CutoutModel, Refused, connect, open_archive, remove


@pytest.fixture(scope="module")
def opened(served: Served) -> Iterator[CutoutModel]:
    with open_archive(served.config.store / "u2netp.mar", threads=1) as model:
        yield model


def cut_out_here(archive: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command, where no server could be found."""
    away = {**os.environ, "U2NET_URL": "http://127.0.0.1:9", "OMP_NUM_THREADS": "2"}
    return subprocess.run(
        [*COMMAND, *arguments, "--archive", archive],
        env=away,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("photo", "options"),
    [
        (0, {}),
        (1, {"format": "webp", "crop": True, "crop_margin": "10%", "bg_color": "ffcc00"}),
        (1, {"edges": "refined", "scale": "80%", "position": "center"}),
        (2, {"format": "zip"}),
        (3, {"channels": "alpha", "roi": "10% 10% 90% 90%"}),
        (3, {"format": "rgba", "size": "preview"}),
        (3, {"format": "auto", "quality": 80, "bg_color": "white"}),
    ],
)
def test_its_cutouts_are_the_servers(
    served: Served,
    opened: CutoutModel,
    photo_files: list[Path],
    photo: int,
    options: dict[str, Any],
) -> None:
    key = served.api.token("inference")
    with connect(served.config.inference_address, key=key, model="u2netp") as server:
        expected = remove(photo_files[photo], client=server, **options)

    assert opened.remove(photo_files[photo], **options) == expected


def test_without_a_format_it_is_the_servers(
    served: Served, opened: CutoutModel, photo_files: list[Path]
) -> None:
    photo = photo_files[1].read_bytes()
    key = served.api.token("inference")
    with connect(served.config.inference_address, key=key, model="u2netp") as server:
        assert opened.cut_out(photo, {}) == server.cut_out(photo, {})


@pytest.mark.parametrize(
    ("length", "options"),
    [(0, {}), (1000, {}), (None, {"quality": "90"}), (None, {"roi": "9px 9px 3px 3px"})],
)
def test_its_refusals_are_the_servers(
    served: Served,
    opened: CutoutModel,
    photo_files: list[Path],
    length: int | None,
    options: dict[str, str],
) -> None:
    # Of a picture's first bytes the error is the same with HEIC and without, which few have here.
    photo = photo_files[1].read_bytes()[:length]
    key = served.api.token("inference")
    told = []
    with connect(served.config.inference_address, key=key, model="u2netp") as server:
        for service in (server, opened):
            with pytest.raises(Refused) as refused:
                service.cut_out(photo, {"format": "png", **options})
            told.append((str(refused.value), vars(refused.value)))

    assert told[0] == told[1]


def test_a_folder_without_a_server_is_what_it_is_with_one(
    served: Served, photo_files: list[Path], tmp_path: Path
) -> None:
    source = tmp_path / "in"
    (source / "sub").mkdir(parents=True)
    for photo in photo_files[1:]:
        shutil.copy(photo, source / "sub")
    (source / "bad.png").write_bytes(photo_files[1].read_bytes()[:1000])
    archive = served.config.store / "u2netp.mar"

    with_server = client(served, "p", source, tmp_path / "a", "--edges", "plain")
    without = cut_out_here(archive, "p", source, tmp_path / "b", "--edges", "plain")
    again = cut_out_here(archive, "p", source, tmp_path / "b", "--edges", "plain")

    assert without.returncode == with_server.returncode == again.returncode == 1
    assert without.stderr == with_server.stderr.decode()
    assert "3 done, 1 failed" in without.stderr
    assert "3 skipped, done before, 1 failed" in again.stderr
    files = [
        {path.relative_to(out): path.read_bytes() for path in out.rglob("*.*")}
        for out in (tmp_path / "a", tmp_path / "b")
    ]
    assert len(files[0]) == 3
    assert files[0] == files[1]


def test_an_interrupted_run_ends_its_processes_and_is_gone_on_with(
    served: Served, photo_files: list[Path], tmp_path: Path
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    pictures = 30
    for number in range(pictures):
        shutil.copy(photo_files[1], source / f"{number:02}.png")
    archive = served.config.store / "u2netp.mar"
    running = subprocess.Popen(
        [*COMMAND, "p", source, out, "--archive", archive, "--jobs", "1"],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not out.exists() or not list(out.glob("*.png")):
        assert running.poll() is None
    children = psutil.Process(running.pid).children()

    os.killpg(running.pid, signal.SIGINT)

    said = running.communicate(timeout=30)[1].decode()
    done = len(list(out.iterdir()))
    assert running.returncode == 130
    counts = f"{done} done, {pictures - done} not tried"
    assert f"interrupted; the same command resumes: {counts}" in said
    assert "Traceback" not in said
    psutil.wait_procs(children, timeout=10)
    assert not [child for child in children if child.is_running()]
    resumed = cut_out_here(archive, "p", source, out)
    assert f"{pictures - done} done, {done} skipped, done before" in resumed.stderr
