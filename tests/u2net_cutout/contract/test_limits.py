from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from u2net_cutout.contract.errors import ResponseTooLarge
from u2net_cutout.contract.limits import Limits, check_response_size

CONFIG = Path(__file__).resolve().parents[3] / "handler" / "model-config.yaml"
SECTION = {"max_file_bytes": 1, "max_pixels": 2, "max_response_bytes": 3}


def test_the_limits_section_is_read() -> None:
    limits = Limits.from_config({"batchSize": 1, "limits": SECTION})

    assert limits == Limits(max_file_bytes=1, max_pixels=2, max_response_bytes=3)


def test_the_archives_own_configuration_is_read() -> None:
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))

    assert Limits.from_config(config).as_dict() == config["limits"]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"limits": None},
        {"limits": []},
        {"limits": {}},
        {"limits": {"max_file_bytes": 1, "max_pixels": 2}},
        {"limits": SECTION | {"max_pixel": 3}},
    ],
)
def test_a_section_with_other_keys_is_refused(config: Mapping[str, object]) -> None:
    needed = r"\['max_file_bytes', 'max_pixels', 'max_response_bytes'\]"
    others = r"\['max_decoding_bytes', 'max_field_bytes', .*, 'max_parts', 'max_side'\]"
    with pytest.raises(ValueError, match=f"section 'limits' with {needed}, and may name {others}"):
        Limits.from_config(config)


@pytest.mark.parametrize("value", [0, -1, 1.5, "1", None, True])
def test_a_limit_that_is_no_whole_number_above_0_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="whole numbers above 0"):
        Limits.from_config({"limits": SECTION | {"max_pixels": value}})


def test_limits_are_told_by_name() -> None:
    assert Limits(1, 2, 3).as_dict().items() > SECTION.items()


def test_what_the_archives_own_configuration_says_is_the_default() -> None:
    stated = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["limits"]

    assert Limits(**{name: stated[name] for name in SECTION}).as_dict() == stated


def test_a_response_may_be_as_large_as_the_limit_and_no_larger() -> None:
    check_response_size(100, 100)
    with pytest.raises(ResponseTooLarge, match="101 bytes; the limit is 100"):
        check_response_size(101, 100)


def test_equal_limits_are_one_key() -> None:
    assert len({Limits(1, 2, 3), Limits(1, 2, 3), Limits(1, 2, 4)}) == 2
