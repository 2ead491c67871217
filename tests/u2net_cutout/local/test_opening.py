import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.u2net_cutout.local.changed_archives import repacked, with_json
from u2net_cutout import ArchiveUnusable, UsageError, open_archive
from u2net_cutout.local.opening import usable_cpus
from u2net_cutout.network.metadata import METADATA_FILE


def in_python(code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_in_the_archive_is_executed(
    archive: Path, photo_files: list[Path], tmp_path: Path
) -> None:
    with zipfile.ZipFile(archive) as whole:
        modules = [name for name in whole.namelist() if name.endswith(".py")]
    poison = dict.fromkeys(modules, b"raise SystemExit('executed')")
    poisoned = repacked(archive, tmp_path / "poisoned.mar", poison)

    with open_archive(poisoned) as one, open_archive(archive) as other:
        assert one.remove(photo_files[1]) == other.remove(photo_files[1])


def test_neither_torchserve_nor_the_handler_is_imported(archive: Path) -> None:
    code = (
        "import sys, u2net_cutout\n"
        "with u2net_cutout.open_archive(sys.argv[1]) as model: pass\n"
        "print({'ts', 'u2net_handler', 'preprocessing'} & sys.modules.keys())"
    )

    assert in_python(code, archive) == "set()"


def test_damaged_weights_are_not_loaded(archive: Path, tmp_path: Path) -> None:
    damaged = repacked(archive, tmp_path / "damaged.mar", {"u2netp.bin": b"weights"})

    with pytest.raises(ArchiveUnusable, match=r"u2netp.bin is damaged: SHA-256"):
        open_archive(damaged)


@pytest.mark.parametrize("fact", [{"variant": "u3net"}, {"runtime": "abacus"}])
def test_what_another_version_may_know_is_said(
    archive: Path, tmp_path: Path, fact: dict[str, str]
) -> None:
    newer = with_json(archive, tmp_path / "newer.mar", METADATA_FILE, **fact)

    with pytest.raises(ArchiveUnusable, match="is not known here"):
        open_archive(newer)


@pytest.mark.parametrize("missing", ["torch", "yaml"])
def test_missing_packages_are_named(archive: Path, missing: str) -> None:
    code = (
        "import sys\n"
        f"sys.modules['{missing}'] = None\n"
        "import u2net_cutout\n"
        "try: u2net_cutout.open_archive(sys.argv[1])\n"
        "except u2net_cutout.UsageError as error: print(error)"
    )

    said = in_python(code, archive)

    assert missing in said
    assert "pip install 'u2net-cutout[local]'" in said


def test_threads_are_a_number_above_0(archive: Path) -> None:
    with pytest.raises(UsageError, match="threads must be 1 or more"):
        open_archive(archive, threads=0)


@pytest.mark.parametrize(("by_hand", "threads"), [("3", 3), ("", None), ("2,1", None)])
def test_the_environment_may_say_how_many_threads(
    monkeypatch: pytest.MonkeyPatch, by_hand: str, threads: int | None
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", by_hand)

    assert usable_cpus() == (threads or len(os.sched_getaffinity(0)))
