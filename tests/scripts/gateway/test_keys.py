from pathlib import Path

import pytest

from scripts.gateway.keys import key_of
from scripts.torchserve.config import ServerError


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "gateway" / "keys"


def test_a_client_keeps_its_key(keys: Path) -> None:
    alice, bob = key_of(keys, "alice"), key_of(keys, "bob")

    assert len({alice, bob}) == 2
    assert min(len(alice), len(bob)) >= 32
    assert (key_of(keys, "alice"), key_of(keys, "bob")) == (alice, bob)


def test_nobody_else_may_read_them(keys: Path) -> None:
    key_of(keys, "alice")

    assert keys.stat().st_mode & 0o777 == 0o600


def test_what_people_write_into_the_file_stays(keys: Path) -> None:
    keys.parent.mkdir()
    keys.write_text("# our own\n\ncarol  her-key 20\n")

    key_of(keys, "dave")

    assert key_of(keys, "carol") == "her-key"
    assert keys.read_text().startswith("# our own\n\ncarol  her-key 20\ndave ")


@pytest.mark.parametrize("name", ["", "two words", "a.b", "../x", "#", "né"])
def test_a_name_that_can_not_stand_in_the_file_is_refused(keys: Path, name: str) -> None:
    with pytest.raises(ServerError, match="NAME="):
        key_of(keys, name)


def test_a_file_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="Is a directory"):
        key_of(tmp_path, "alice")
