from pathlib import Path
from threading import Event

from u2net_cutout.cli.watch import FolderWatch, watch


def test_a_file_is_reported_once_it_has_settled(tmp_path: Path) -> None:
    file, watched = tmp_path / "a.jpg", FolderWatch()
    seen = []
    for content in (b"", b"ha", b"half", b"whole", b"whole", b"whole"):
        if not file.exists() or file.read_bytes() != content:
            file.write_bytes(content)
        seen.append(watched.settled([file]))

    assert seen == [[], [], [], [], [file], []]


def test_an_empty_file_is_not_reported(tmp_path: Path) -> None:
    file, watched = tmp_path / "a.jpg", FolderWatch()
    file.touch()

    assert [watched.settled([file]) for _ in range(3)] == [[], [], []]


def test_a_file_is_reported_again_when_it_is_replaced_or_forgotten(tmp_path: Path) -> None:
    file, watched = tmp_path / "a.jpg", FolderWatch()
    file.write_bytes(b"one")
    assert [watched.settled([file]) for _ in range(2)] == [[], [file]]

    file.write_bytes(b"other")
    assert [watched.settled([file]) for _ in range(2)] == [[], [file]]

    watched.forget([file])
    assert watched.settled([file]) == [file]


def test_a_file_that_is_moved_away_is_no_error(tmp_path: Path) -> None:
    assert FolderWatch().settled([tmp_path / "gone.jpg"]) == []


def test_watching_ends_when_it_is_to_stop(tmp_path: Path) -> None:
    file, stopping = tmp_path / "a.jpg", Event()
    file.write_bytes(b"whole")

    reported = []
    for settled in watch(lambda: [file], FolderWatch(), stopping, 0.01):
        reported += settled
        stopping.set()

    assert reported == [file]
