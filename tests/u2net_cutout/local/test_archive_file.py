import hashlib
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.u2net_cutout.local.changed_archives import repacked, with_json
from u2net_cutout.client.errors import ArchiveUnusable
from u2net_cutout.local.archive_file import CONFIG, ArchiveFile
from u2net_cutout.local.member_names import MANIFEST
from u2net_cutout.network.metadata import METADATA_FILE

WEIGHTS, GRAPH = "u2netp.bin", "u2netp.param"
LIMITS = b"limits: {max_file_bytes: 1000, max_pixels: 9, max_response_bytes: 5}\n"


def test_it_says_what_the_archive_holds(archive: Path, tmp_path: Path) -> None:
    changed = repacked(archive, tmp_path / "other.mar", {CONFIG: LIMITS})

    found = ArchiveFile.read(changed)

    assert (found.metadata.variant, found.metadata.precision) == ("u2netp", "fp32")
    assert (found.limits.max_file_bytes, found.limits.max_pixels) == (1000, 9)


def test_a_compressed_archive_is_one_as_well(archive: Path, tmp_path: Path) -> None:
    packed = repacked(archive, tmp_path / "packed.mar", {}, zipfile.ZIP_DEFLATED)

    assert packed.stat().st_size < archive.stat().st_size
    assert ArchiveFile.read(packed).metadata == ArchiveFile.read(archive).metadata


def test_its_network_lies_in_a_folder_that_holds_no_bytes_of_it(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    opened = ArchiveFile.read(archive)

    with opened.network_files() as folder:
        for name, digest in opened.metadata.files_sha256.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        # What would be left if the process were killed now.
        stored = sum(path.lstat().st_size for path in tmp_path.rglob("*") if path.is_symlink())
        assert stored < 100
        assert not [
            path for path in tmp_path.rglob("*") if not (path.is_symlink() or path.is_dir())
        ]

    assert list(tmp_path.iterdir()) == []


Change = Callable[[Path, Path], Path]


def beginning(archive: Path, target: Path, length: int) -> Path:
    target.write_bytes(archive.read_bytes()[:length])
    return target


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a, t: t, "can't be read: No such file"),
        (lambda a, t: t.parent, "can't be read: Is a directory"),
        (lambda a, t: beginning(a, t, 0), "not a zip file"),
        (lambda a, t: beginning(a, t, -30), "not a zip file"),
        (lambda a, t: repacked(a, t, {MANIFEST: None}), f"has no .*{MANIFEST}"),
        (lambda a, t: repacked(a, t, {METADATA_FILE: None}), f"has no .*{METADATA_FILE}"),
        (lambda a, t: repacked(a, t, {CONFIG: None}), f"has no .*{CONFIG}"),
        (lambda a, t: repacked(a, t, {WEIGHTS: None}), f"has no .*{WEIGHTS}"),
        (lambda a, t: repacked(a, t, {"../evil": b""}), r"strange names: \.\./evil"),
        (lambda a, t: repacked(a, t, {"/etc/x": b""}), "strange names: /etc/x"),
        (lambda a, t: repacked(a, t, {".hidden": b""}), r"strange names: \.hidden"),
        (lambda a, t: repacked(a, t, {METADATA_FILE: b"[" * 100_000}), "recursion"),
        (
            lambda a, t: repacked(a, t, {METADATA_FILE: b" " * (1 << 20) + b"{}"}),
            "more than 1048576",
        ),
        (
            lambda a, t: repacked(a, t, {CONFIG: b"a: &a [1]\nlimits: *a\n"}),
            "aliases are not read",
        ),
        (lambda a, t: repacked(a, t, {CONFIG: b"[" * 100_000}), "recursion"),
        (lambda a, t: repacked(a, t, {CONFIG: b"none"}), "holds no settings"),
        (lambda a, t: repacked(a, t, {CONFIG: b"!!python/object/apply:os._exit [3]"}), "python"),
        (lambda a, t: repacked(a, t, {CONFIG: b"limits: {max_pixels: 1}"}), "needs a section"),
        (lambda a, t: with_json(a, t, METADATA_FILE, colour="red"), "unexpected keyword argument"),
        (lambda a, t: with_json(a, t, METADATA_FILE, device="cuda"), "built for cuda"),
        (lambda a, t: with_json(a, t, METADATA_FILE, files_sha256={}), "no files of a network"),
        (lambda a, t: with_json(a, t, METADATA_FILE, files_sha256=[]), "no files of a network"),
        (
            lambda a, t: with_json(a, t, METADATA_FILE, files_sha256={"../x": "0"}),
            "no files of a network",
        ),
        (
            lambda a, t: with_json(a, t, MANIFEST, model={"handler": "mine.py"}),
            "a handler of its own, mine.py",
        ),
    ],
)
def test_what_is_no_archive_for_here_is_refused(
    archive: Path, tmp_path: Path, change: Change, reason: str
) -> None:
    changed = change(archive, tmp_path / "changed.mar")

    with pytest.raises(ArchiveUnusable, match=reason) as told:
        ArchiveFile.read(changed)

    assert str(told.value).startswith(str(changed))
    assert len(str(told.value)) < 1000


def test_a_member_that_is_there_twice_is_refused(archive: Path, tmp_path: Path) -> None:
    twice = repacked(archive, tmp_path / "twice.mar", {})
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(twice, "a") as more:
        more.writestr(METADATA_FILE, b"{}")

    with pytest.raises(ArchiveUnusable, match=METADATA_FILE):
        ArchiveFile.read(twice)


def test_a_bomb_is_refused_before_it_is_unpacked(archive: Path, tmp_path: Path) -> None:
    bomb = with_json(archive, tmp_path / "bomb.mar", METADATA_FILE, files_sha256={"bomb.bin": "0"})
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as more:
        more.writestr("bomb.bin", bytes(1 << 20))
        # As if it went on for 3 GiB.
        more.getinfo("bomb.bin").file_size = 3 << 30

    with pytest.raises(ArchiveUnusable, match="its network has 3221225472 bytes"):
        ArchiveFile.read(bomb)


def test_of_a_damaged_archive_nothing_but_its_own_error_comes(
    archive: Path, tmp_path: Path
) -> None:
    """Bytes of the directory and of the small members, changed at random."""
    small = repacked(archive, tmp_path / "small.mar", {WEIGHTS: b"0" * 100, GRAPH: b"0" * 100})
    whole = small.read_bytes()
    chance = random.Random(0)
    refused = 0
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            broken[-chance.randint(1, 20_000)] = chance.randrange(256)
        small.write_bytes(broken)
        try:
            with ArchiveFile.read(small).network_files() as folder:
                assert len(list(folder.iterdir())) == 2
        except ArchiveUnusable:
            refused += 1
    assert refused > 100
