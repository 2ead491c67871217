import pytest

from scripts.measure.kit.machine_peak import network_operations


@pytest.mark.parametrize(("variant", "thousand_millions"), [("u2net", 117.2), ("u2netp", 39.5)])
def test_the_networks_operations_are_counted(variant: str, thousand_millions: float) -> None:
    assert network_operations(variant) / 1e9 == pytest.approx(thousand_millions, abs=0.05)
