"""The file of keys: what a command writes into it, and how nginx looks keys up."""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.gateway.keys import key_of
from scripts.torchserve.config import ServerError
from tests.scripts.gateway.conftest import LoneGateway

# Within this time a key counts, or does not any more.
NOTICED_S = 1.0
MANY = 10_000


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


def test_every_key_of_many_is_found_and_no_other(lone: LoneGateway) -> None:
    lone.write_keys(*(f"client-{number}\tkey-{number}" for number in range(MANY)))

    found = [lone.request(key=f"key-{number}").status_code for number in range(0, MANY, 99)]
    wrong = [lone.request(key=f"key-{number}").status_code for number in (-1, MANY, "", "0 ")]

    assert set(found) == {200}
    assert wrong == [403, 403, 403, 200]  # blanks around a header are not part of it


def read_by(lone: LoneGateway) -> int:
    """Bytes that nginx's worker processes have read from files so far."""
    running = lone.process.find()
    assert running is not None
    lines = [Path(f"/proc/{each.pid}/io").read_text() for each in running.children()]
    return sum(int(text.split("rchar: ")[1].split()[0]) for text in lines)


def test_looking_up_a_wrong_key_reads_no_more_when_there_are_many(lone: LoneGateway) -> None:
    read = []
    for number in (1, MANY):
        lone.write_keys(*(f"client-{each} key-{each}" for each in range(number)))
        time.sleep(NOTICED_S)
        lone.request(key="wrong")
        before = read_by(lone)
        for _ in range(100):
            assert lone.request(key="wrong").status_code == 403
        read.append((read_by(lone) - before) / 100)

    # 10,000 lines are 200,000 bytes; one bucket of the table is some hundred.
    assert read[1] - read[0] < 1000


def test_a_key_counts_and_ceases_to_count_within_a_second(lone: LoneGateway) -> None:
    seen = []
    for lines in (["alice alices-key"], ["alice other-key!"], [], ["alice alices-key"]):
        lone.write_keys(*lines)
        lone.request(key="alices-key")  # the first look at the file
        time.sleep(NOTICED_S)
        seen.append([lone.request(key=key).status_code for key in ("alices-key", "other-key!")])

    assert seen == [[200, 403], [403, 200], [403, 403], [200, 403]]


def test_a_change_that_the_clock_of_the_file_system_does_not_show_counts_as_well(
    lone: LoneGateway,
) -> None:
    """The file keeps its size; several of its changes fall into one tick."""
    for _ in range(20):
        for key in ("first--key", "second-key"):
            lone.write_keys(f"alice {key}")
            lone.request(key=key)
    time.sleep(NOTICED_S)

    assert lone.request(key="first--key").status_code == 403
    assert lone.request(key="second-key").status_code == 200


def test_keys_of_an_exchanged_secret_count_within_a_second(
    lone: LoneGateway, tmp_path: Path
) -> None:
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "keys").write_text(f"carol key-{name}\n")
    (tmp_path / "data").symlink_to("before")
    lone.config.keys.unlink()
    lone.config.keys.symlink_to(tmp_path / "data" / "keys")
    first = [lone.request(key=key).status_code for key in ("key-before", "key-after")]

    # As kubelet does it: a new link is put in the place of the old one.
    (tmp_path / "new").symlink_to("after")
    (tmp_path / "new").rename(tmp_path / "data")
    time.sleep(NOTICED_S)

    assert first == [200, 403]
    assert [lone.request(key=key).status_code for key in ("key-before", "key-after")] == [403, 200]


@pytest.mark.parametrize("header", ["X-Api-Key: ", "Authorization: Bearer "])
@pytest.mark.parametrize("path", ["/v1.0/removebg", "/"])
def test_a_key_longer_than_any_is_refused_and_not_logged(
    lone: LoneGateway, header: str, path: str
) -> None:
    """Even where more of them come at once than one key may send."""
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\n{header}{'k' * 256}\r\nContent-Length: 60000000\r\n"
    with ExitStack() as stack:
        clients = [stack.enter_context(lone.connect()) for _ in range(100)]
        for client in clients:
            client.sendall(f"{head}\r\n".encode())
        responses = [client.recv(1 << 16) for client in clients]

    assert {response.split(b"\r\n")[0] for response in responses} == {b"HTTP/1.1 403 Forbidden"}
    assert all(b"X-Error-Code: auth_failed" in response for response in responses)
    assert "kkk" not in lone.config.log.read_text()


def test_the_longest_key_is_as_good_as_any(lone: LoneGateway) -> None:
    lone.write_keys(f"alice {'k' * 255}")

    assert lone.request(key="k" * 255).status_code == 200
