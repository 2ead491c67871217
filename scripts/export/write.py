"""Exports a network for a runtime and a precision, and measures its parity."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from scripts.common.files import sha256_of
from scripts.export.calibration import Calibration, calibrate, stored_calibration, views
from scripts.export.ncnn_graph import ncnn_graph
from scripts.export.parity import DIGITS, PARITY_FILE, Parity, ParityError, PictureParity
from scripts.export.quantisation import Quantisation, Scheme
from scripts.export.twin import twin_maps
from scripts.weights.convert import folded_network
from scripts.weights.photos import fetch_calibration, fetch_evaluation
from scripts.weights.record import WeightsRecord
from scripts.weights.variants import variant_named
from u2net_cutout.matting.alpha import stretch
from u2net_cutout.network.inputs import HostInput
from u2net_cutout.network.metadata import METADATA_FILE, ModelMetadata
from u2net_cutout.network.precision import Choice, Precision, Runtime
from u2net_cutout.network.runtime import load_runtime
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import Variant
from u2net_cutout.worker.memory_trim import trim


@dataclass(frozen=True)
class PhotoSource:
    """Where photos to calibrate with and to measure on come from."""

    folder: Path
    pip_arguments: Sequence[str]

    def calibration(self, variant: Variant) -> list[Tensor]:
        """Return the pictures to calibrate with, each (3, S, S), ready for the network."""
        photos = fetch_calibration(self.folder, self.pip_arguments)
        return [
            _prepared(photo, variant).flip([-1] if mirrored else [])
            for photo, mirrored in views(photos, variant)
        ]

    def evaluation(self, variant: Variant) -> dict[str, Tensor]:
        """Return the photos to measure on, by name, each (3, S, S), ready for the network."""
        photos = fetch_evaluation(self.folder, self.pip_arguments)
        return {photo.name: _prepared(photo, variant) for photo in photos}


def write_network(
    weights: Path,
    folder: Path,
    choice: Choice,
    photos: PhotoSource,
    sources_sha256: str,
) -> None:
    """Write the network of a weights file, its ``metadata.json`` and ``parity.json`` into a folder.

    Raises:
        WeightsError: the weights are missing or damaged.
        WheelDataError: the photos can't be had.
        ModelLoadError: this machine can't run it.
        ParityError: its masks are no masks.
    """
    record = WeightsRecord.beside(weights)
    variant = variant_named(record.variant)
    evaluation = photos.evaluation(variant)
    network = folded_network(torch.load(weights, weights_only=True), variant)
    if stored_calibration(Scheme.of(network)) is None:
        # Whatever the precision: another machine may get a copy of the folder.
        photos.calibration(variant)
    files = _write_files(network, folder / weights.stem, choice, photos)
    # In this layout of the weights, torch takes a quarter less time.
    exact = masks_of(network.to(memory_format=torch.channels_last), evaluation)
    # A network that is served takes up to five times as much memory.
    del network
    trim([])
    metadata = ModelMetadata(
        record.variant,
        choice.runtime.value,
        choice.precision.value,
        choice.device,
        {file.name: sha256_of(file) for file in files},
        record.source,
        record.license,
        {},
        sources_sha256,
    )
    print("parity: the masks beside those of float32", flush=True)
    parity = measure_parity(folder, metadata, evaluation, exact)
    print(parity, flush=True)
    (folder / PARITY_FILE).write_text(parity.to_json(), encoding="utf-8")
    described = replace(metadata, parity=parity.summary).to_json()
    (folder / METADATA_FILE).write_text(described, encoding="utf-8")


def measured_calibration(scheme: Scheme, photos: PhotoSource) -> Calibration:
    """Calibrate a network on photos, and show how far that is.

    Raises:
        WheelDataError: the photos can't be had.
    """
    pictures = photos.calibration(scheme.network.variant)
    print(f"calibrating 8 bits on {len(pictures)} pictures", flush=True)
    with (
        tempfile.TemporaryDirectory(dir=photos.folder) as scratch,
        # Hidden where stderr is not a terminal.
        tqdm(bar_format="{desc} [{elapsed}]", disable=None) as progress,
    ):
        return calibrate(scheme, pictures, Path(scratch), progress.set_description_str)


def measure_parity(
    folder: Path,
    metadata: ModelMetadata,
    pictures: Mapping[str, Tensor],
    exact: Mapping[str, Tensor],
) -> Parity:
    """Compare the masks of the network in a folder, loaded as it is served, with `exact` ones.

    Raises:
        ModelLoadError: this machine can't run it.
        ParityError: its masks are no masks.
    """
    device = torch.device("cuda:0" if metadata.device == "cuda" else "cpu")
    runtime = load_runtime(folder, metadata, device, torch.get_num_threads())
    return _parity(masks_of(lambda batch: runtime(batch.to(device)).cpu(), pictures), exact)


def emulated_parity(
    scheme: Scheme, quantisation: Quantisation, pictures: Mapping[str, Tensor]
) -> Parity:
    """Compare the masks of a network's 8-bit twin, calculated in torch, with plain torch's.

    Raises:
        ParityError: its masks are no masks.
    """
    network, steps = scheme.network, scheme.steps
    emulated = masks_of(lambda batch: twin_maps(network, steps, quantisation, batch), pictures)
    return _parity(emulated, masks_of(network, pictures))


def masks_of(run: Callable[[Tensor], Tensor], pictures: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the mask, (S, S) in [0, 1], that a network finds in each picture, (3, S, S).

    Raises:
        ParityError: its masks are no masks.
    """
    masks: dict[str, Tensor] = {}
    with torch.inference_mode():
        for name, picture in pictures.items():
            try:
                masks[name] = stretch(run(picture.unsqueeze(0))[0, 0])
            except FloatingPointError as error:
                raise ParityError(f"{name}: {error}") from error
    return masks


def _parity(masks: Mapping[str, Tensor], exact: Mapping[str, Tensor]) -> Parity:
    return Parity({name: compare_masks(mask, exact[name]) for name, mask in masks.items()})


def compare_masks(mask: Tensor, exact: Tensor) -> PictureParity:
    """Compare two masks, each (H, W) in [0, 1].

    Raises:
        ParityError: one of them holds what is no number.
    """
    if not (mask.isfinite().all() and exact.isfinite().all()):
        raise ParityError("the masks are not finite: the precision's range is too small")
    inside, expected = mask > 0.5, exact > 0.5
    union = int((inside | expected).sum())
    iou = int((inside & expected).sum()) / union if union else 1.0
    error = float((mask - exact).abs().mean())
    return PictureParity(round(error, DIGITS), round(iou, DIGITS))


def _write_files(
    network: SaliencyNetwork, target: Path, choice: Choice, photos: PhotoSource
) -> list[Path]:
    if choice.runtime is Runtime.TORCH:
        weights = target.with_suffix(".pth")
        torch.save(network.state_dict(), weights)
        return [weights]
    if choice.runtime is Runtime.NCNN:
        return ncnn_graph(network).save(target)
    # Only here: an environment without OpenVINO does all the rest.
    from scripts.export.openvino_graph import EXACT, keep_sensitive, openvino_graph, save_graph

    quantisation = EXACT
    if choice.precision is Precision.INT8:
        scheme = Scheme.of(network)
        calibration = stored_calibration(scheme) or measured_calibration(scheme, photos)
        quantisation = calibration.quantisation(scheme)
    save_graph(openvino_graph(network, quantisation), target)
    if choice.precision is Precision.BF16:
        keep_sensitive(target, len(network.variant.sensitive))
    return [target.with_suffix(".bin"), target.with_suffix(".xml")]


def _prepared(photo: Path, variant: Variant) -> Tensor:
    with Image.open(photo) as picture:
        return HostInput(variant).prepare(picture.convert("RGB"))
