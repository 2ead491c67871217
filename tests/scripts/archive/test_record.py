import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from scripts.archive.build import build_archive
from scripts.archive.record import (
    ArchiveRecordError,
    record_of,
    verify_archive,
    verify_bytes,
    write_record,
)
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def pristine(
    networks: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    return {
        version: build_archive(
            "u2netp", version, networks["u2netp"], tmp_path_factory.mktemp(f"store{version}")
        )
        for version in ("1.0", "1.1")
    }


@pytest.fixture
def archive(pristine: dict[str, Path], tmp_path: Path) -> Path:
    """A copy that a test may damage, with its record."""
    store = tmp_path / "model-store"
    shutil.copytree(pristine["1.0"].parent, store)
    return store / "u2netp.mar"


def members_of(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def repack(archive: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)


def truncate(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-1000])


def flip_a_bit(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)


def exchange_the_handler(archive: Path) -> None:
    repack(archive, members_of(archive) | {"u2net_handler.py": b"print('not ours')"})


def empty(archive: Path) -> None:
    archive.write_bytes(b"")


DAMAGES = [truncate, flip_a_bit, exchange_the_handler, empty]


def test_a_fresh_archive_is_proven(archive: Path) -> None:
    metadata = verify_archive(archive, "u2netp", "1.0")

    assert metadata.variant == "u2netp"


def test_the_record_is_one_for_sha256sum(archive: Path) -> None:
    command = ["sha256sum", "--check", "--strict", record_of(archive).name]
    done = subprocess.run(command, cwd=archive.parent, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "u2netp.mar: OK\n")


@pytest.mark.parametrize("damage", DAMAGES)
def test_another_archive_than_recorded_is_refused(
    archive: Path, damage: Callable[[Path], None]
) -> None:
    recorded = verify_bytes(archive)
    damage(archive)

    with pytest.raises(ArchiveRecordError, match=f"has SHA-256 .*{recorded}.*make archive"):
        verify_archive(archive, "u2netp", "1.0")


@pytest.mark.parametrize("damage", DAMAGES)
def test_it_is_not_built_over_in_silence(
    archive: Path, networks: dict[str, Path], damage: Callable[[Path], None]
) -> None:
    damage(archive)
    before = archive.read_bytes()

    with pytest.raises(ArchiveRecordError, match="damaged or was replaced"):
        build_archive("u2netp", "1.0", networks["u2netp"], archive.parent)

    assert archive.read_bytes() == before


def test_an_archive_without_a_record_is_not_believed_but_built_again(
    archive: Path, networks: dict[str, Path]
) -> None:
    sound = archive.read_bytes()
    exchange_the_handler(archive)
    record_of(archive).unlink()

    with pytest.raises(ArchiveRecordError, match=r"can't be verified.*make archive"):
        verify_archive(archive, "u2netp", "1.0")
    build_archive("u2netp", "1.0", networks["u2netp"], archive.parent)

    assert archive.read_bytes() == sound
    verify_archive(archive, "u2netp", "1.0")


def test_a_record_of_something_else_proves_nothing(archive: Path) -> None:
    record_of(archive).write_text(f"{'0' * 64}  other.mar\n")

    with pytest.raises(ArchiveRecordError, match=r"has no entry for u2netp\.mar"):
        verify_archive(archive, "u2netp", "1.0")


def test_another_version_or_model_is_told(archive: Path) -> None:
    with pytest.raises(ArchiveRecordError, match=r"holds u2netp 1\.0, not u2netp 2\.0.*VERSION=2"):
        verify_archive(archive, "u2netp", "2.0")
    with pytest.raises(ArchiveRecordError, match=r"holds u2netp 1\.0, not u2net: make archive"):
        verify_archive(archive, "u2net")


def test_a_published_record_can_be_held_against_ones_own_build(
    archive: Path, pristine: dict[str, Path]
) -> None:
    verify_archive(archive, "u2netp", record=record_of(pristine["1.0"]))

    with pytest.raises(ArchiveRecordError, match="has SHA-256"):
        verify_archive(archive, "u2netp", record=record_of(pristine["1.1"]))


@pytest.mark.parametrize(
    "name",
    [
        *("../evil.py", "/tmp/evil.py", "a/b.py", "..\\evil.py", "u2net_cutout/../evil.py"),
        *("u2net_cutout\\evil.py", "/u2net_cutout/evil.py", "u2net_cutout//evil.py"),
        *("u2net_cutout/./evil.py", "u2net_cutout/.evil.py", "u2net_cutout/evil.so", "C:evil.py"),
        *("u2net_cutout/evil/", "other/u2net_cutout/evil.py", ".hidden"),
    ],
)
def test_members_that_unpack_elsewhere_are_refused(archive: Path, name: str) -> None:
    repack(archive, members_of(archive) | {name: b""})
    write_record(archive)

    with pytest.raises(ArchiveRecordError, match="strange"):
        verify_archive(archive, "u2netp")


def test_modules_of_the_package_are_admitted(archive: Path) -> None:
    repack(archive, members_of(archive) | {"u2net_cutout/imaging/another_one.py": b""})
    write_record(archive)

    verify_archive(archive, "u2netp")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["u2net_handler.py", "u2net_cutout/contract/errors.py"])
def test_a_member_of_a_name_that_stands_twice_is_refused(archive: Path, name: str) -> None:
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr(name, b"")
    write_record(archive)

    with pytest.raises(ArchiveRecordError, match="strange"):
        verify_archive(archive, "u2netp")


def test_a_network_that_belies_the_archives_own_metadata_is_refused(archive: Path) -> None:
    members = members_of(archive)
    repack(archive, members | {"u2netp.bin": members["u2netp.bin"][:-1]})
    write_record(archive)

    with pytest.raises(ArchiveRecordError, match=r"u2netp\.bin in .* has SHA-256"):
        verify_archive(archive, "u2netp")


def test_something_else_under_the_name_is_refused(archive: Path) -> None:
    repack(archive, {"MAR-INF/MANIFEST.json": json.dumps({}).encode()})
    write_record(archive)

    with pytest.raises(ArchiveRecordError, match="is not a cutout archive"):
        verify_archive(archive, "u2netp")


@pytest.mark.parametrize("command", ["serve", "register", "rollout"])
def test_the_commands_refuse_before_anything_else(archive: Path, command: str) -> None:
    exchange_the_handler(archive)
    build = archive.parents[1]

    done = subprocess.run(
        [
            *(sys.executable, "-m", "scripts", command, "--build", str(build)),
            *("--port", "25180", "--model", "u2netp", "--version", "1.0"),
        ],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    if command != "register":
        assert "damaged or was replaced" in done.stderr
    assert not (build / "servers" / "25180" / "key_file.json").exists()


METADATA = {
    "variant": "u2netp",
    "runtime": "ncnn",
    "precision": "fp32",
    "device": "cpu",
    "files_sha256": {"u2netp.bin": hashlib.sha256(b"weights").hexdigest()},
    "weights_source": "a test",
    "license": "Apache-2.0",
    "parity": {},
    "sources_sha256": "0" * 64,
}
IDENTITY = {"modelName": "u2netp", "modelVersion": "1.0"}


def made(folder: Path, changed: Mapping[str, bytes | None] = MappingProxyType({})) -> Path:
    """An archive of the least members, some changed or left out, and its record."""
    members: dict[str, bytes | None] = {
        "MAR-INF/MANIFEST.json": json.dumps({"model": IDENTITY}).encode(),
        "metadata.json": json.dumps(METADATA).encode(),
        "u2netp.bin": b"weights",
    }
    members |= changed
    archive = folder / "u2netp.mar"
    repack(archive, {name: content for name, content in members.items() if content is not None})
    write_record(archive)
    return archive


def test_the_least_archive_is_proven(tmp_path: Path) -> None:
    assert verify_archive(made(tmp_path), "u2netp", "1.0").license == "Apache-2.0"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"MAR-INF/MANIFEST.json": None}, r"is not a cutout archive \(.*MANIFEST\.json"),
        ({"MAR-INF/MANIFEST.json": b"{"}, "is not a cutout archive"),
        ({"MAR-INF/MANIFEST.json": b"[]"}, "is not a cutout archive"),
        ({"MAR-INF/MANIFEST.json": b'{"model": {}}'}, r"is not a cutout archive \('modelName'\)"),
        ({"metadata.json": None}, r"is not a cutout archive \(.*metadata\.json"),
        ({"metadata.json": b'{"variant": "u2netp"}'}, "not the metadata of an archive"),
        ({"u2netp.bin": None}, r"is not a cutout archive \(.*u2netp\.bin"),
        (
            {"u2netp.bin": b"others"},
            r"u2netp\.bin in .* has SHA-256 .*, but its metadata",
        ),
        ({"sub/other.json": b""}, "has members of strange names: sub/other.json"),
        ({"MAR-INF/other.json": b""}, "has members of strange names: MAR-INF/other.json"),
    ],
)
def test_an_archive_that_lacks_or_belies_something_is_refused(
    tmp_path: Path, changed: dict[str, bytes | None], words: str
) -> None:
    with pytest.raises(ArchiveRecordError, match=words):
        verify_archive(made(tmp_path, changed), "u2netp", "1.0")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["MAR-INF/MANIFEST.json", "metadata.json", "u2netp.bin"])
def test_a_member_that_is_there_twice_is_refused(tmp_path: Path, name: str) -> None:
    archive = made(tmp_path)
    content = members_of(archive)[name]
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr(name, content)
    write_record(archive)

    with pytest.raises(ArchiveRecordError, match=rf"has members of strange names: {name}\)"):
        verify_archive(archive, "u2netp", "1.0")


def test_a_member_whose_sum_is_wrong_is_refused(tmp_path: Path) -> None:
    archive = made(tmp_path, {"u2net_handler.py": b"print('ours')"})
    archive.write_bytes(archive.read_bytes().replace(b"print('ours')", b"print('1234')"))
    write_record(archive)

    with pytest.raises(ArchiveRecordError, match=r"^u2net_handler\.py in .*u2netp\.mar is damaged"):
        verify_archive(archive, "u2netp", "1.0")


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "u2netp.mar"
    archive.write_bytes(b"no archive at all")
    write_record(archive)

    with pytest.raises(
        ArchiveRecordError, match=r"matches its record, but is not a cutout archive"
    ):
        verify_archive(archive, "u2netp")


def test_an_archive_that_is_gone_can_not_be_read(tmp_path: Path) -> None:
    archive = made(tmp_path)
    archive.unlink()

    with pytest.raises(ArchiveRecordError, match=r"u2netp\.mar can't be read: make archive"):
        verify_bytes(archive)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xfa"])
def test_a_record_that_can_not_be_read_proves_nothing(
    tmp_path: Path, content: bytes | None
) -> None:
    archive = made(tmp_path)
    record_of(archive).unlink()
    if content:
        record_of(archive).write_bytes(content)

    with pytest.raises(ArchiveRecordError, match=r"can't be verified: .* can't be read"):
        verify_bytes(archive)


@pytest.mark.parametrize("mark", [" ", "*"])
def test_a_record_may_be_of_several_files_as_sha256sum_writes_it(tmp_path: Path, mark: str) -> None:
    archive = made(tmp_path)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    others = "".join(f"{'0' * 64} {mark}{name}.mar\n" for name in ("other", "u2netpp", "zoo"))
    record_of(archive).write_text(f"{others}{digest.upper()} {mark}u2netp.mar\n")

    assert verify_bytes(archive) == digest


@pytest.mark.parametrize(
    ("model", "version", "words"),
    [
        ("u2net", None, "not u2net: make archive MODEL=u2net"),
        ("u2net", "1.0", "not u2net 1.0: make archive MODEL=u2net VERSION=1.0"),
        (
            "u2netp",
            "1.1",
            "not u2netp 1.1: make archive MODEL=u2netp VERSION=1.1",
        ),
    ],
)
def test_an_archive_of_something_else_says_of_what(
    tmp_path: Path, model: str, version: str | None, words: str
) -> None:
    archive = made(tmp_path)

    with pytest.raises(ArchiveRecordError) as refusal:
        verify_archive(archive, model, version)
    assert str(refusal.value) == f"{archive} holds u2netp 1.0, {words}"


@pytest.mark.parametrize("digit", ["0", "f"])
def test_a_digest_that_differs_is_refused_whichever_is_greater(tmp_path: Path, digit: str) -> None:
    archive = made(tmp_path)
    record_of(archive).write_text(f"{digit * 64}  u2netp.mar\n")
    with pytest.raises(ArchiveRecordError, match=rf"but .*sha256 says {digit * 64}: it is damaged"):
        verify_bytes(archive)

    belied = METADATA | {"files_sha256": {"u2netp.bin": digit * 64}}
    archive = made(tmp_path, {"metadata.json": json.dumps(belied).encode()})
    with pytest.raises(ArchiveRecordError, match=rf"metadata\.json says {digit * 64}: make"):
        verify_archive(archive, "u2netp")
