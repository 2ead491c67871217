import os
import time
from pathlib import Path

import pytest

from u2net_cutout.cli.outputs import (
    OutputExists,
    format_of,
    remove_leftovers,
    suffix_of,
    write_whole,
)
from u2net_cutout.client.errors import UsageError
from u2net_cutout.contract.formats import OutputFormat


def test_every_format_that_is_one_has_a_name() -> None:
    for output_format in set(OutputFormat) - {OutputFormat.AUTO}:
        assert format_of(Path(f"A{suffix_of(output_format).upper()}")) is output_format


@pytest.mark.parametrize("name", ["a", "a.gif", ".png", "png"])
def test_a_name_that_says_no_format_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"\.png, \.webp"):
        format_of(Path(name))


def test_a_file_is_written_with_its_folders_and_usual_rights(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b.png"

    write_whole(target, b"new", force=False)

    usual = tmp_path / "usual"
    usual.touch()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode == usual.stat().st_mode
    assert [file.name for file in target.parent.iterdir()] == ["b.png"]


def test_a_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(b"old")

    with pytest.raises(OutputExists, match="--force"):
        write_whole(target, b"new", force=False)
    assert target.read_bytes() == b"old"

    write_whole(target, b"new", force=True)
    assert target.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_a_file_that_cant_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()

    with pytest.raises(OSError, match=r"a\.png"):
        write_whole(tmp_path / "a.png", b"new", force=True)

    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_only_old_parts_are_removed(tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    old, new, other = (
        below / name for name in (".u2net-cutout-a.part", ".u2net-cutout-b.part", ".other.part")
    )
    for file in (old, new, other):
        file.touch()
    for file in (old, other):
        os.utime(file, (time.time() - 3600,) * 2)

    remove_leftovers(tmp_path)

    assert set(below.iterdir()) == {new, other}
