from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scripts.export.parity import ParityError
from scripts.export.write import PhotoSource, compare_masks, masks_of, measure_parity
from scripts.weights.convert import folded_network
from scripts.weights.photos import CALIBRATION
from tests.conftest import PIP_ARGUMENTS, WEIGHTS, exported
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.precision import Precision, Runtime
from u2net_cutout.network.variant import VARIANTS


def test_each_photo_to_calibrate_with_is_there_mirrored_as_well() -> None:
    pictures = PhotoSource(WEIGHTS.parent / "photos", PIP_ARGUMENTS).calibration(VARIANTS["u2net"])
    photos, mirrored = pictures[: len(CALIBRATION)], pictures[len(CALIBRATION) :]

    assert len(photos) == len(mirrored)
    for photo, mirror in zip(photos, mirrored, strict=True):
        assert torch.equal(mirror, photo.flip(2))
        assert not torch.equal(mirror, photo)


def test_a_network_with_a_stem_gets_each_photo_once_and_every_other_one_mirrored() -> None:
    source = PhotoSource(WEIGHTS.parent / "photos", PIP_ARGUMENTS)
    small = replace(VARIANTS["isnet"], picture=VARIANTS["u2net"].picture)
    photos = source.calibration(VARIANTS["u2net"])[: len(CALIBRATION)]

    pictures = source.calibration(small)

    assert len(pictures) == len(photos)
    for number, (picture, photo) in enumerate(zip(pictures, photos, strict=True)):
        assert torch.equal(picture, photo.flip(2) if number % 2 else photo)


def test_equal_masks_are_equal() -> None:
    mask = torch.rand(320, 320, generator=torch.Generator().manual_seed(0))

    found = compare_masks(mask, mask)

    assert (found.error, found.iou) == (0, 1)


def test_masks_are_compared_by_their_mean_difference_and_their_foregrounds() -> None:
    exact, mask = torch.zeros(10, 10), torch.zeros(10, 10)
    exact[:, :4] = 1
    mask[:, 2:4] = 1

    found = compare_masks(mask, exact)

    assert found.error == pytest.approx(0.2)
    assert found.iou == pytest.approx(0.5)


def test_masks_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ParityError):
        compare_masks(torch.full((4, 4), torch.nan), torch.zeros(4, 4))


def test_two_masks_without_foreground_agree() -> None:
    assert compare_masks(torch.zeros(4, 4), torch.zeros(4, 4)).iou == 1


def test_a_network_is_measured_as_it_is_loaded(weights: Path, torch_network: Path) -> None:
    network = folded_network(
        torch.load(weights / "u2netp.pth", weights_only=True), VARIANTS["u2netp"]
    )
    metadata = ModelMetadata.read(torch_network)
    picture = torch.rand(3, 320, 320, generator=torch.Generator().manual_seed(0))

    pictures = {"noise": picture}
    parity = measure_parity(torch_network, metadata, pictures, masks_of(network, pictures))

    assert parity.pictures["noise"].error <= 2e-5


@pytest.mark.parametrize(
    ("runtime", "precision", "graph"),
    [
        (Runtime.NCNN, Precision.FP32, "u2net.param"),
        (Runtime.OPENVINO, Precision.FP32, "u2net.xml"),
        (Runtime.OPENVINO, Precision.BF16, "u2net.xml"),
        (Runtime.OPENVINO, Precision.INT8, "u2net.xml"),
    ],
)
def test_u2net_holds_the_bound_of_each_precision(
    runtime: Runtime, precision: Precision, graph: str
) -> None:
    folder = exported("u2net", runtime, precision)

    metadata = ModelMetadata.read(folder)

    assert (metadata.precision, metadata.variant) == (precision.value, "u2net")
    assert metadata.parity["worst_iou"] > 0.97
    assert list(metadata.files_sha256) == ["u2net.bin", graph]
