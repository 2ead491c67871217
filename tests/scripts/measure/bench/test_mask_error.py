import pytest

from scripts.measure.bench.mask_error import compare_masks


def test_equal_masks_have_no_error() -> None:
    found = compare_masks({"a": bytes([0, 255])}, {"a": bytes([0, 255])})

    assert (found.mean, found.worst, found.overlaps["a"]) == (0, 0, 1)


def test_an_error_is_a_mean_over_pixels_and_then_pictures() -> None:
    exact = {"a": bytes([0, 255, 255, 255]), "b": bytes([0])}

    found = compare_masks(exact, {"a": bytes([255, 255, 255, 255]), "b": bytes([0])})

    assert found.errors == pytest.approx({"a": 0.25, "b": 0})
    assert found.mean == pytest.approx(0.125)
    assert found.worst == pytest.approx(0.25)
    assert found.overlaps == pytest.approx({"a": 0.75, "b": 1})
