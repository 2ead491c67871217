import pytest

from scripts.torchserve.versions import VersionError, checked_version, newest


@pytest.mark.parametrize("version", ["1.0", "2", "2026-11-24", "1.0.0-rc_1"])
def test_usual_versions_are_taken(version: str) -> None:
    assert checked_version(version) == version


@pytest.mark.parametrize(
    "version",
    ["", "all", "closed", "1/2", "../x", "%2e", "1.1?x", "a b", "1'2", "1;id", "-1", "1" * 65],
)
def test_what_would_mean_something_else_in_an_address_is_refused(version: str) -> None:
    with pytest.raises(VersionError, match="is not a version"):
        checked_version(version)


def test_the_newest_is_told_by_its_numbers() -> None:
    assert newest(["1.9", "1.10", "1.10rc1", "nightly"]) == "1.10"
    assert newest(["nightly", "evening"]) == "nightly"
    assert newest([]) is None
