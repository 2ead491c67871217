"""Real photographs that any machine can get: some to calibrate with, others to measure on."""

from collections.abc import Sequence
from pathlib import Path

from scripts.weights.pinned_files import WheelFile, fetch

SCIKIT_IMAGE = "scikit-image==0.25.2"
SCIKIT_LEARN = "scikit-learn==1.7.2"
MATPLOTLIB = "matplotlib==3.10.8"
IMGAUG = "imgaug==0.4.0"
GRADIO = "gradio==4.44.1"

# What the 8-bit network's ranges and biases are taken from.
CALIBRATION = (
    WheelFile(
        SCIKIT_IMAGE,
        "skimage/data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    ),
    WheelFile(
        SCIKIT_IMAGE,
        "skimage/data/chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    ),
    WheelFile(
        SCIKIT_IMAGE,
        "skimage/data/coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    ),
    WheelFile(
        SCIKIT_IMAGE,
        "skimage/data/rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    ),
    WheelFile(
        SCIKIT_IMAGE,
        "skimage/data/motorcycle_left.png",
        "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    ),
    WheelFile(
        SCIKIT_IMAGE,
        "skimage/data/hubble_deep_field.jpg",
        "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    ),
    WheelFile(
        SCIKIT_IMAGE,
        "skimage/data/retina.jpg",
        "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
    ),
)

# What a network's masks are measured on. Never calibrated with.
EVALUATION = (
    WheelFile(
        SCIKIT_LEARN,
        "sklearn/datasets/images/china.jpg",
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
    ),
    WheelFile(
        SCIKIT_LEARN,
        "sklearn/datasets/images/flower.jpg",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
    ),
    WheelFile(
        MATPLOTLIB,
        "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
        "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130",
    ),
    WheelFile(
        IMGAUG,
        "imgaug/quokka.jpg",
        "bf1059d0f925e7d0c712cadf07a04ba4cfc98957d7be65d3a7d8ae0c464cd76e",
    ),
    WheelFile(
        GRADIO,
        "gradio/test_data/cheetah1.jpg",
        "35550bfbba996e59c242af00f6a14a9c0d055dfbc52ad069a1a4e8c1c39ca095",
    ),
    WheelFile(
        GRADIO,
        "gradio/test_data/cheetah2.jpg",
        "6882e714aa43d60a429f704a5ddd3af4b3708f89701b3bcc9626121349853795",
    ),
    WheelFile(
        GRADIO,
        "gradio/test_data/lion.jpg",
        "4c45ece00075f152cb2e6cfd5f1dfd7dc8e83042264685b4f470026240eff3ef",
    ),
)


def fetch_calibration(folder: Path, pip_arguments: Sequence[str]) -> list[Path]:
    """Fetch the photos to calibrate with, unless they are there.

    Raises:
        WheelDataError: they can't be had.
    """
    return fetch(CALIBRATION, folder, pip_arguments)


def fetch_evaluation(folder: Path, pip_arguments: Sequence[str]) -> list[Path]:
    """Fetch the photos to measure on, unless they are there.

    Raises:
        WheelDataError: they can't be had.
    """
    return fetch(EVALUATION, folder, pip_arguments)
