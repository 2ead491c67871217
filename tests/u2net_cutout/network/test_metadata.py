import json
from pathlib import Path

import pytest

from u2net_cutout.network.metadata import METADATA_FILE, ModelMetadata

METADATA = ModelMetadata(
    variant="u2netp",
    runtime="openvino",
    precision="int8",
    device="cpu",
    files_sha256={"u2netp.bin": "a" * 64, "u2netp.xml": "c" * 64},
    weights_source="the authors' checkpoint, U²-Net",
    license="Apache-2.0",
    parity={"mean_error": 0.001},
    sources_sha256="b" * 64,
)


def test_metadata_survive_their_own_text() -> None:
    assert ModelMetadata.from_json(METADATA.to_json()) == METADATA


def test_the_weights_hash_is_that_of_the_first_file() -> None:
    assert METADATA.weights_sha256 == "a" * 64
    assert ModelMetadata.from_json(METADATA.to_json()).weights_sha256 == "a" * 64


def test_metadata_are_read_from_an_unpacked_archive(tmp_path: Path) -> None:
    (tmp_path / METADATA_FILE).write_text(METADATA.to_json(), encoding="utf-8")

    assert ModelMetadata.read(tmp_path) == METADATA


def test_the_text_is_json_with_a_key_for_each_fact() -> None:
    assert json.loads(METADATA.to_json()).keys() == {
        "variant",
        "runtime",
        "precision",
        "device",
        "files_sha256",
        "weights_source",
        "license",
        "parity",
        "sources_sha256",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '"text"',
        "{}",
        '{"variant": "u2net"}',
        METADATA.to_json().replace("license", "licence"),
        b"\xff\xfe",
    ],
)
def test_a_text_that_is_no_metadata_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - what JSON or Python says of it is their matter
        ModelMetadata.from_json(text)


def test_an_archive_without_metadata_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ModelMetadata.read(tmp_path)
