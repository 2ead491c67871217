"""Composites that need no server; the others are in tests/served/test_home_composite.py."""

from typing import Any

import pytest

from u2net_cutout import Refused, UsageError, connect, remove
from u2net_cutout.home_composite import Traffic


def test_what_is_saved_is_told() -> None:
    traffic = Traffic(1_000_000, 10_000, 3_000_000, 5_000_000) + Traffic(0, 0, 0, 500_000)

    assert str(traffic) == (
        "sent 1.00 MB instead of 3.00, received 0.01 MB instead of 5.50: 7.49 MB saved"
    )


def test_a_picture_that_is_none_is_refused_without_the_server() -> None:
    with pytest.raises(Refused, match="invalid_file_type"):
        remove(b"no picture", client=connect("http://127.0.0.1:9"), composite=True)


@pytest.mark.parametrize("options", [{"crop": True}, {"edges": "matte"}, {"size": "hd"}])
def test_what_needs_the_whole_picture_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="composite can't be had with"):
        remove(b"photo", client=connect("http://127.0.0.1:9"), composite=True, **options)
