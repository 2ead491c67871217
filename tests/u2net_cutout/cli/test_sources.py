import os
from pathlib import Path

import pytest

from u2net_cutout.cli.sources import Job, find_pictures, plan
from u2net_cutout.client.errors import UsageError
from u2net_cutout.contract.formats import OutputFormat

PNG, AUTO = OutputFormat.PNG, OutputFormat.AUTO


def touch(folder: Path, *names: str) -> list[Path]:
    files = [folder / name for name in names]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return files


def make_unreadable(folder: Path) -> None:
    """Make a folder below whose whole path is longer than Linux takes, whoever asks."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_pictures_are_found_in_all_folders_but_the_hidden_ones(tmp_path: Path) -> None:
    wanted = touch(tmp_path, "-a b.JPG", "b/c/ü.heic", "b/d.webp")
    touch(tmp_path, "notes.txt", ".hidden.png", ".cache/e.png", "b/.u2net-cutout-x.part")

    assert find_pictures(tmp_path, tmp_path / "out") == (sorted(wanted), {})


def test_the_folder_of_the_cutouts_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "cut/a.png", "b/cut/a.png")

    found, _ = find_pictures(tmp_path, tmp_path / "b" / ".." / "cut")

    assert found == [tmp_path / "a.png", tmp_path / "b" / "cut" / "a.png"]


def test_a_folder_that_cant_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        find_pictures(tmp_path / "none", tmp_path)


def test_a_folder_below_that_cant_be_read_leaves_the_others_alone(tmp_path: Path) -> None:
    (picture,) = touch(tmp_path, "b/a.png")
    make_unreadable(tmp_path)

    found, unread = find_pictures(tmp_path, tmp_path / "out")

    assert found == [picture]
    ((folder, error),) = unread.items()
    assert folder.name == "d" * 250
    assert error.strerror == "File name too long"


def test_a_link_that_leads_nowhere_is_there(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    target.symlink_to(tmp_path / "nowhere")

    assert Job(tmp_path / "a.jpg", target, (PNG,)).existing() == target


def test_the_tree_is_mirrored() -> None:
    pictures = [Path("in/a.jpg"), Path("in/b/a.jpg"), Path("in/b/c.d.jpg")]

    planned = plan(pictures, Path("in"), Path("out"), PNG)

    assert [job.target for job in planned.jobs] == [
        Path("out/a.png"),
        Path("out/b/a.png"),
        Path("out/b/c.d.png"),
    ]
    assert not planned.clashes


def test_pictures_that_want_the_same_file_are_all_refused() -> None:
    pictures = [Path("in/a.jpg"), Path("in/a.png"), Path("in/b.jpg")]

    planned = plan(pictures, Path("in"), Path("out"), PNG)

    assert [job.source.name for job in planned.jobs] == ["b.jpg"]
    assert planned.clashes == {
        Path("in/a.jpg"): "in/a.png would become out/a.png as well: --full-names keeps them apart",
        Path("in/a.png"): "in/a.jpg would become out/a.png as well: --full-names keeps them apart",
    }


def test_full_names_keep_them_apart() -> None:
    pictures = [Path("in/a.jpg"), Path("in/a.png")]

    planned = plan(pictures, Path("in"), Path("out"), PNG, full_names=True)

    assert [job.target for job in planned.jobs] == [Path("out/a.jpg.png"), Path("out/a.png.png")]


def test_without_a_root_all_lie_side_by_side() -> None:
    planned = plan([Path("x/a.jpg"), Path("y/a.jpg"), Path("y/b.jpg")], None, Path("out"), PNG)

    assert [job.target for job in planned.jobs] == [Path("out/b.png")]
    assert len(planned.clashes) == 2


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_what_auto_made_is_found_again(tmp_path: Path, suffix: str) -> None:
    (job,) = plan([tmp_path / "a.b.jpg"], tmp_path, tmp_path / "out", AUTO).jobs
    assert job.existing() is None

    (made,) = touch(tmp_path, f"out/a.b{suffix}")

    assert job.existing() == made


def test_a_named_file_is_taken_as_it_is(tmp_path: Path) -> None:
    job = Job(tmp_path / "a.jpg", tmp_path / "b.JPEG", (OutputFormat.JPG,))

    assert job.target_as(OutputFormat.JPG) == tmp_path / "b.JPEG"
