"""Files and pipes against a server whose responses are no cutouts."""

from pathlib import Path

import pytest

from tests.u2net_cutout.client.failing_server import CUTOUT, PNG, Said, failing_server, picture
from u2net_cutout.cli.main import main

IMAGE = {"Content-Type": "image/png"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "in" / name).write_bytes(picture("JPEG"))
    return tmp_path


@pytest.mark.parametrize(
    "said",
    [
        (200, IMAGE, b""),
        (200, {"Content-Type": "image/jpeg"}, picture("JPEG")),
        (200, IMAGE, picture("JPEG")),
        (200, IMAGE, PNG[:-1]),
        (200, IMAGE | {"Content-Length": "1000"}, PNG),
        (200, {"Content-Type": "text/html"}, b"<html>"),
        (200, {}, PNG),
        (400, {}, b"[" * 200_000),
        (400, {}, b'{"message": "\x1b[2J\xe2\x80\xaeevil\\n"}'),
    ],
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("i", "in/a.jpg", "out.png"),
        ("i", "--force", "in/a.jpg", "old.png"),
        ("i", "in/a.jpg", "in/b.jpg", "."),
        ("i", "in/a.jpg", "-"),
        ("i", "--composite", "in/a.jpg", "out.png"),
        ("p", "in", "out"),
    ],
)
def test_what_is_no_cutout_is_an_error_and_nothing_is_written(
    folder: Path, said: Said, arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "old.png").write_bytes(b"old")
    before = sorted(folder.rglob("*"))

    with failing_server(said) as server, pytest.raises(SystemExit) as ended:
        main([arguments[0], "--url", server.url, "--tries", "1", *arguments[1:]])

    output, errors = capfd.readouterr()
    assert (ended.value.code, output) == (1, "")
    assert all(line.isprintable() for line in errors.split("\n"))
    assert "Traceback" not in errors
    assert sorted(folder.rglob("*")) == before
    assert (folder / "old.png").read_bytes() == b"old"


def test_several_pictures_go_into_a_folder_that_is_made(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with failing_server(CUTOUT) as server, pytest.raises(SystemExit) as ended:
        main(["i", "--verbose", "--url", server.url, "in/a.jpg", "in/b.jpg", "new/folder"])

    assert ended.value.code == 0
    assert {file.name for file in (folder / "new/folder").iterdir()} == {"a.png", "b.png"}
    said = capsys.readouterr().err
    assert "wrote new/folder/a.png (0 kB) in 0." in said
    assert said.splitlines()[-1] == "2 done"


def test_the_format_of_the_name_is_the_one_that_is_written(folder: Path) -> None:
    said = (200, {"Content-Type": "image/jpeg"}, picture("JPEG"))
    with failing_server(said) as server, pytest.raises(SystemExit) as ended:
        main(["i", "--url", server.url, "in/a.jpg", "out.jpg"])

    assert ended.value.code == 0
    assert (folder / "out.jpg").read_bytes() == picture("JPEG")
