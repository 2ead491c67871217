import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scripts.archive.build import build_archive
from scripts.lifecycle.gpu import batching_for, gpus_for
from scripts.torchserve.batching import AS_ARCHIVED, Batching
from tests.conftest import ROOT
from u2net_cutout.network.metadata import METADATA_FILE, ModelMetadata


@pytest.fixture(scope="module")
def for_torch(torch_network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive as a machine with a GPU builds it."""
    folder = tmp_path_factory.mktemp("torch")
    network = shutil.copytree(torch_network, folder / "network")
    metadata = replace(ModelMetadata.read(network), device="cuda")
    (network / METADATA_FILE).write_text(metadata.to_json(), encoding="utf-8")
    return build_archive("u2netp", "1.0", network, folder / "store")


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.lifecycle.gpu.has_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("two_gpus")
def test_an_archive_for_torch_runs_on_every_gpu(for_torch: Path) -> None:
    assert gpus_for(for_torch) == 2


@pytest.mark.usefixtures("two_gpus")
def test_an_archive_for_cpus_runs_on_none(networks: dict[str, Path], tmp_path: Path) -> None:
    archive = build_archive("u2netp", "1.0", networks["u2netp"], tmp_path / "store")

    assert gpus_for(archive) == 0


@pytest.mark.usefixtures("two_gpus")
def test_a_model_that_is_kept_on_the_cpu_runs_on_none(for_torch: Path, tmp_path: Path) -> None:
    config = tmp_path / "model-config.yaml"
    served = (ROOT / "handler" / "model-config.yaml").read_text(encoding="utf-8")
    config.write_text(f"deviceType: cpu\n{served}", encoding="utf-8")

    assert gpus_for(for_torch, config) == 0


@pytest.mark.usefixtures("two_gpus")
def test_an_archive_that_is_not_there_runs_on_none(tmp_path: Path) -> None:
    assert gpus_for(tmp_path / "u2netp.mar") == 0


def test_without_a_gpu_an_archive_for_torch_runs_on_none(
    for_torch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.lifecycle.gpu.has_gpu", lambda: False)

    assert gpus_for(for_torch) == 0


def test_on_a_gpu_two_requests_share_a_pass() -> None:
    assert batching_for(1, AS_ARCHIVED) == Batching(2, 5)


@pytest.mark.parametrize("chosen", [Batching(32, 0), Batching(1, 50)])
def test_what_the_user_chose_stays(chosen: Batching) -> None:
    assert batching_for(1, chosen) == chosen


def test_on_cpus_the_archive_says_how_large_batches_are() -> None:
    assert batching_for(0, AS_ARCHIVED) == AS_ARCHIVED
