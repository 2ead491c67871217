"""The command line as far as no server is needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.u2net_cutout.cli.test_sources import make_unreadable
from u2net_cutout.cli.main import main


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder to be in, and an address without a server."""
    monkeypatch.setenv("U2NET_URL", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("i", "--edges", "nope", "a.jpg", "b.png"),
        ("i", "a.jpg", "b.gif"),
        ("i", "--format", "webp", "a.jpg", "b.png"),
        ("i", "a.jpg", "b.jpg", "new.png"),
        ("i", "a.jpg", "b.jpg", "c.heic"),
        ("i", "--composite", "--crop", "a.jpg", "b.png"),
        ("i", "--composite", "--edges", "refined", "a.jpg", "b.png"),
        ("i", ".", "b.png"),
        ("p", "a.jpg", "out"),
        ("p", ".", "."),
        ("p", ".", ".."),
        ("b", "0", "5"),
        ("b", "5", "5", "-o", "frame.png"),
        ("i", "--url", "http://127.0.0.1:9/v1.0/removebg", "--model", "isnet", "a.jpg", "b.png"),
        ("i", "--archive", "a.mar", "--url", "http://127.0.0.1:9", "a.jpg", "b.png"),
        ("i", "--archive", "a.mar", "--composite", "a.jpg", "b.png"),
        ("p", "--archive", "a.mar", "--key-command", "echo", ".", "out"),
        ("p", "--archive", "a.mar", "--tries", "3", ".", "out"),
        ("x",),
        (),
    ],
)
def test_wrong_usage_is_an_error_before_anything_is_sent(
    away: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert capsys.readouterr().err
    assert not list(away.iterdir())


@pytest.mark.parametrize(
    "paths",
    [
        ("--format", "auto", "d/a.png", "d"),
        ("--format", "auto", "d/a.jpg", "d"),
        ("d/a.png", "d/linked.png"),
        ("d/a.png", "d/../d/a.png"),
    ],
)
def test_no_picture_is_replaced_by_a_cutout(
    away: Path, paths: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (away / "d").mkdir()
    for name in ("a.png", "a.jpg"):
        (away / "d" / name).write_bytes(b"photo")
    (away / "d" / "linked.png").hardlink_to(away / "d" / "a.png")

    with pytest.raises(SystemExit) as ended:
        main(["i", "--force", *paths])

    assert ended.value.code == 2
    assert "one of the pictures" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["i", "p", "b"])
def test_each_command_lists_its_options(
    away: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])

    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(option in said for option in ("--url", "--key-command", "--crop-margin", "10%"))
    # Each value has a line of its own.
    lines = [line.strip() for line in said.splitlines()]
    assert "plain    keeps the picture's colours" in lines
    assert "hd                       4 megapixels" in lines
    assert "`" not in said


def test_a_folder_below_that_cant_be_read_is_a_failure(
    away: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_unreadable(away)

    with pytest.raises(SystemExit) as ended:
        main(["p", ".", "out"])

    assert ended.value.code == 1
    assert "can't be read: File name too long" in capsys.readouterr().err


def test_an_archive_that_is_none_is_an_error(
    away: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (away / "a.jpg").write_bytes(b"photo")
    (away / "a.mar").write_bytes(b"no archive")

    with pytest.raises(SystemExit) as ended:
        main(["i", "--archive", "a.mar", "a.jpg", "b.png"])

    assert ended.value.code == 1
    assert "a.mar is damaged, or no archive of this version" in capsys.readouterr().err
    assert not (away / "b.png").exists()


def test_a_server_that_is_away_is_an_error(away: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (away / "a.jpg").write_bytes(b"photo")

    with pytest.raises(SystemExit) as ended:
        main(["i", "--tries", "1", "a.jpg", "b.png"])

    assert ended.value.code == 1
    assert "no connection to http://127.0.0.1:9/predictions/u2net" in capsys.readouterr().err


def test_libraries_that_few_runs_need_are_not_loaded_at_the_start() -> None:
    late = {"numpy", "isal", "torch", "yaml"}
    code = f"import sys, u2net_cutout.cli.main; print({late} & sys.modules.keys())"
    command = [sys.executable, "-c", code]
    # What is tested here, not what is installed.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    started = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert started.stdout == "set()\n"
