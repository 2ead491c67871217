"""The measures of the matting literature, on mattes whose error is known."""

import numpy as np
import pytest

from scripts.measure.edges.metrics import (
    absolute_difference,
    colour_error,
    connectivity_error,
    gradient_error,
    squared_error,
)

MEASURES = (absolute_difference, squared_error, gradient_error, connectivity_error)


@pytest.fixture
def square():
    matte = np.zeros((40, 50))
    matte[10:30, 10:30] = 1
    return matte


@pytest.mark.parametrize("measure", MEASURES)
def test_the_truth_has_no_error(measure, square):
    assert measure(square, square) == 0


def test_an_offset_counts_as_itself(square):
    off = square + 0.25

    assert absolute_difference(off, square) == pytest.approx(0.25 * square.size / 1000)
    assert squared_error(off, square) == pytest.approx(0.0625)
    assert gradient_error(off, square) == pytest.approx(0)


def test_a_ramp_has_the_gradient_error_of_its_slope():
    flat = np.zeros((40, 50))
    ramp = flat + 0.01 * np.arange(50)

    inside = np.zeros(flat.shape, bool)
    inside[:, 10:-10] = True
    assert gradient_error(ramp, flat, inside) == pytest.approx(
        0.01**2 * inside.sum() / 1000, rel=1e-3
    )


def test_an_island_is_an_error_of_connectivity(square):
    island = square.copy()
    island[35:38, 40:45] = 1

    assert connectivity_error(island, square) == pytest.approx(15 / 1000)


def test_faint_haze_is_no_error_of_connectivity(square):
    assert connectivity_error(np.maximum(square, 0.1), square) == 0


@pytest.mark.parametrize("measure", MEASURES)
def test_only_the_region_counts(measure, square):
    elsewhere = np.zeros(square.shape, bool)
    elsewhere[:, 45:] = True
    off = square.copy()
    off[10:30, 10:20] = 0.5

    assert measure(off, square) > 0
    assert measure(off, square, elsewhere) == 0


def test_a_colour_counts_by_its_alpha_and_in_the_edge_only():
    truth = np.zeros((2, 2, 3))
    alpha = np.array([[0.5, 0.5], [0.0, 1.0]])

    assert colour_error(truth + 0.2, truth, alpha) == pytest.approx(0.1)
