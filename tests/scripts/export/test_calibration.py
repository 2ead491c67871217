from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from scripts.export import calibration as subject
from scripts.export import quantisation
from scripts.export.calibration import (
    FEWEST_VALUES,
    METHOD,
    Calibration,
    calibrate,
    keep_calibration,
    stored_calibration,
    views,
)
from scripts.export.quantisation import Scheme, draws
from scripts.export.trace import Operation
from scripts.export.twin import take_step, walk
from scripts.weights.convert import folded_network
from scripts.weights.photos import CALIBRATION
from u2net_cutout.network.inputs import HostInput
from u2net_cutout.network.variant import VARIANTS


@pytest.fixture(scope="module")
def scheme(weights: Path) -> Scheme:
    """U2NETP on smaller pictures, which cost less."""
    variant = VARIANTS["u2netp"]
    small = replace(variant, picture=replace(variant.picture, size=96))
    return Scheme.of(folded_network(torch.load(weights / "u2netp.pth", weights_only=True), small))


@pytest.fixture(scope="module")
def pictures(scheme: Scheme, photos: list[Image.Image]) -> list[Tensor]:
    return [HostInput(scheme.network.variant).prepare(photo) for photo in photos[:2]]


@pytest.fixture(scope="module")
def calibration(
    scheme: Scheme, pictures: list[Tensor], tmp_path_factory: pytest.TempPathFactory
) -> Calibration:
    return calibrate(scheme, pictures, tmp_path_factory.mktemp("scratch"), lambda what: None)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where calibrations are kept, instead of the repository's."""
    monkeypatch.setattr(subject, "CALIBRATIONS", tmp_path / "calibrations")
    return tmp_path / "calibrations"


def test_one_picture_at_a_time_gives_what_all_at_once_give(
    scheme: Scheme, pictures: list[Tensor], calibration: Calibration
) -> None:
    measured = calibration.quantisation(scheme).ranges
    largest: dict[str, float] = {}
    shifts: dict[str, Tensor] = {}

    def advance(place: int, values: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        """Take a step of both networks on all pictures: first the exact ones, then the twin's."""
        step, count = scheme.steps[place], len(pictures)
        weights = [None] * count + [scheme.weights.get(step.convolution)] * count
        results = [
            take_step(scheme.network, step, each, own)
            for each, own in zip(zip(*values, strict=True), weights, strict=True)
        ]
        exact, twins = results[:count], results[count:]
        if step.operation is Operation.CONVOLUTION and not draws(step.convolution):
            shifts[step.convolution] = _shift(torch.cat(exact), torch.cat(twins))
            twins = [twin - shifts[step.convolution][:, None, None] for twin in twins]
        if place in measured:
            largest[scheme.names[place]] = max(float(each.max()) for each in exact)
            twins = [measured[place].rounded(twin) for twin in twins]
        return [*exact, *twins]

    with torch.inference_mode():
        walk(scheme.steps, [picture.unsqueeze(0) for picture in [*pictures, *pictures]], advance)
    first = "stage1.rebnconvin.conv_s1"
    assert not shifts.pop(first).any()
    assert shifts.keys() == calibration.shifts.keys()
    for name, shift in shifts.items():
        assert np.allclose(calibration.shifts[name], shift, rtol=0.01, atol=1e-5), name
    assert all(found <= calibration.ranges[name] * 1.00001 for name, found in largest.items())
    assert set(calibration.ranges.values()) <= {float(f"{each:.6g}") for each in largest.values()}


def _shift(exact: Tensor, twin: Tensor) -> Tensor:
    """By how much each channel is off on average, where ReLU lets it through, to three digits."""
    answers = exact > 0
    count = answers.sum((0, 2, 3))
    shift = ((twin - exact) * answers).sum((0, 2, 3)) / count.clamp_min(1)
    kept = torch.where(count < FEWEST_VALUES, 0, shift)
    return torch.tensor([float(f"{each:.3g}") for each in kept.tolist()])


def test_the_same_pictures_give_the_same_calibration_and_leave_nothing(
    scheme: Scheme, pictures: list[Tensor], calibration: Calibration, tmp_path: Path
) -> None:
    again = calibrate(scheme, pictures, tmp_path, lambda what: None)

    assert again.ranges == calibration.ranges
    assert all(np.array_equal(again.shifts[n], each) for n, each in calibration.shifts.items())
    assert not list(tmp_path.iterdir())


def test_what_is_kept_is_what_was_measured(
    scheme: Scheme, calibration: Calibration, kept: Path
) -> None:
    assert stored_calibration(scheme) is None

    file = keep_calibration(scheme, calibration)

    assert file.parent == kept
    found = stored_calibration(scheme)
    assert found is not None
    assert found.ranges == calibration.ranges
    assert all(np.array_equal(found.shifts[n], each) for n, each in calibration.shifts.items())


@pytest.mark.usefixtures("kept")
def test_a_file_that_is_cut_short_is_not_used(scheme: Scheme, calibration: Calibration) -> None:
    file = keep_calibration(scheme, calibration)
    file.write_bytes(file.read_bytes()[:-100])

    assert stored_calibration(scheme) is None


@pytest.mark.usefixtures("kept")
def test_what_no_longer_fits_is_not_used(
    scheme: Scheme, calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_calibration(scheme, calibration)
    other = folded_network(
        {name: tensor + 1e-6 for name, tensor in scheme.network.state_dict().items()},
        scheme.network.variant,
    )

    assert stored_calibration(Scheme.of(other)) is None
    monkeypatch.setattr(quantisation, "SPLIT_SIDE", 8)
    assert stored_calibration(Scheme.of(scheme.network)) is None


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("METHOD", 2),
        ("FEWEST_VALUES", 49),
        ("RANGE_DIGITS", 5),
        ("SHIFT_DIGITS", 4),
        ("CALIBRATION", CALIBRATION[1:]),
        ("views", lambda photos, variant: views(photos[::-1], variant)),
    ],
)
def test_what_was_measured_in_another_way_is_not_used(
    scheme: Scheme,
    calibration: Calibration,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: object,
) -> None:
    keep_calibration(scheme, calibration)

    monkeypatch.setattr(subject, name, value)

    assert stored_calibration(scheme) is None


@pytest.mark.usefixtures("kept")
def test_what_was_measured_on_otherwise_prepared_pictures_is_not_used(
    scheme: Scheme, calibration: Calibration
) -> None:
    keep_calibration(scheme, calibration)
    variant = scheme.network.variant
    other = replace(variant, picture=replace(variant.picture, white=255.0))
    state = scheme.network.state_dict()

    assert stored_calibration(Scheme.of(folded_network(state, other))) is None


def test_a_change_of_what_is_measured_is_another_method(calibration: Calibration) -> None:
    """Raise METHOD where these figures change, and measure anew what is kept."""
    assert METHOD == 1
    assert sum(calibration.ranges.values()) == pytest.approx(920.34, rel=1e-4)
    shifts = np.concatenate(list(calibration.shifts.values()))
    assert np.abs(shifts).sum() == pytest.approx(69.43, rel=5e-3)


@pytest.mark.parametrize("model", ["u2net", "u2netp", "isnet"])
def test_the_repository_keeps_what_fits_the_published_weights(weights: Path, model: str) -> None:
    file = weights / f"{model}.pth"
    if not file.exists():
        pytest.skip(f"{model} is fetched only when it is asked for")
    state = torch.load(file, weights_only=True)

    assert stored_calibration(Scheme.of(folded_network(state, VARIANTS[model]))) is not None
