import pytest

from scripts.measure.kit import machine_peak
from scripts.measure.kit.machine_peak import PRODUCTS, measure_peaks, network_operations
from u2net_cutout.network.cpu_features import cpu_has


@pytest.mark.parametrize(("variant", "thousand_millions"), [("u2net", 117.2), ("u2netp", 39.5)])
def test_the_networks_operations_are_counted(variant: str, thousand_millions: float) -> None:
    assert network_operations(variant) / 1e9 == pytest.approx(thousand_millions, abs=0.05)


def test_only_precisions_that_the_cpu_has_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_peak, "SAMPLES", 1)
    peaks = measure_peaks()
    assert set(peaks) == {precision.value for precision in PRODUCTS if cpu_has(precision)}
    assert all(peak > 0 for peak in peaks.values())
