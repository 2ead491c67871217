"""Real photos, real weights: what the tests of all modules share."""

import os
import shlex
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import skimage
import torch
from hypothesis import settings
from PIL import Image, ImageCms

from scripts.archive.build import build_archive
from scripts.export.choose import export_network
from u2net_cutout.contract.limits import Limits
from u2net_cutout.network.cpu_features import cpu_has
from u2net_cutout.network.precision import Choice, Precision, Runtime
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import VARIANTS

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / (os.environ.get("BUILD") or "build")
# Not the user's own weights, which may be others.
WEIGHTS = BUILD / "test" / "weights"
WHEELS = BUILD / "wheels"
PIP_ARGUMENTS = shlex.split(os.environ.get("PIP_ARGS", ""))
# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


@pytest.fixture(scope="session")
def photo_files() -> list[Path]:
    """Four real photographs as files."""
    folder = Path(skimage.__file__).parent / "data"
    return [folder / name for name in PHOTOS]


@pytest.fixture(scope="session")
def photos(photo_files: list[Path]) -> list[Image.Image]:
    """The same photographs, decoded: mode RGB, sRGB."""
    decoded = [Image.open(file).convert("RGB") for file in photo_files]
    # The rocket was taken in Adobe RGB; what profiles the others have are sRGB's.
    ImageCms.profileToProfile(
        decoded[3],
        BytesIO(decoded[3].info["icc_profile"]),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        inPlace=True,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return decoded


@pytest.fixture(scope="session")
def weights() -> Path:
    """The folder with the converted weights, their records and the ONNX files they came from."""
    for model in ("u2net", "u2netp"):
        if not (WEIGHTS / f"{model}.onnx").exists():
            pytest.fail(f"the authors' {model} is not there: make test fetches it")
    return WEIGHTS


def exported(model: str, runtime: Runtime, precision: Precision) -> Path:
    """A network as it is put into an archive; written once and kept from run to run."""
    if not cpu_has(precision):
        pytest.skip(f"this machine's CPU does not calculate in {precision.value}")
    return export_network(
        WEIGHTS / f"{model}.pth",
        WEIGHTS.parent / "networks",
        WEIGHTS.parent / "photos",
        PIP_ARGUMENTS,
        Choice(runtime, precision),
    )


@pytest.fixture(scope="session")
def torch_network(weights: Path) -> Path:
    """The folder of u2netp for plain torch: what everything else is held against."""
    return exported("u2netp", Runtime.TORCH, Precision.FP32)


@pytest.fixture(scope="session")
def networks(weights: Path) -> dict[str, Path]:
    """The folders of u2net and u2netp in float32 as it is served by default, by model."""
    return {model: exported(model, Runtime.NCNN, Precision.FP32) for model in ("u2net", "u2netp")}


@pytest.fixture(scope="session")
def openvino_network(weights: Path) -> Path:
    """The folder of u2netp in float32 for OpenVINO."""
    return exported("u2netp", Runtime.OPENVINO, Precision.FP32)


@pytest.fixture(scope="session")
def archive(networks: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of u2netp in float32, as it is served by default."""
    return build_archive("u2netp", "1.0", networks["u2netp"], tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def stemmed() -> SaliencyNetwork:
    """A small network in IS-Net's form: a stem, no fused map; its weights are made up."""
    variant = replace(
        VARIANTS["isnet"],
        name="stemmed",
        encoder_mid=(8,) * 6,
        encoder_out=(16,) * 6,
        decoder_mid=(8,) * 5,
        decoder_out=(16,) * 5,
        stem=16,
        picture=replace(VARIANTS["isnet"].picture, size=128),
    )
    torch.manual_seed(0)
    return SaliencyNetwork(variant, batch_norm=False).eval().requires_grad_(False)


@pytest.fixture
def limits() -> Limits:
    """Limits that no picture of the tests meets by accident."""
    return Limits(max_file_bytes=50_000_000, max_pixels=20_000_000, max_response_bytes=80_000_000)
