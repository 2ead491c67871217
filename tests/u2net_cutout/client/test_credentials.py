import sys

import pytest

from u2net_cutout.client.credentials import ApiKey, key_from_command
from u2net_cutout.client.errors import ServerUnusable


def test_a_source_is_called_when_a_key_is_needed_and_when_it_is_refused() -> None:
    keys = iter("abc")
    key = ApiKey(lambda: next(keys))

    assert [key.current(), key.current()] == ["a", "a"]
    assert key.renewed("a") == "b"
    # Another thread's key was refused, too; it has been renewed since.
    assert key.renewed("a") == "b"
    assert key.current() == "b"


def test_a_source_without_another_key_says_so() -> None:
    key = ApiKey(lambda: "same")

    assert key.renewed(key.current()) is None


def test_a_commands_output_is_the_key() -> None:
    assert key_from_command(f"{sys.executable} -c 'print(\" k \")'")() == "k"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-program-at-all", "can't be run"),
        ("'unbalanced", "can't be run"),
        ("true", "`true` printed nothing: it must print the key to stdout$"),
        ("sh -c 'echo no server >&2'", "printed nothing: .* On stderr: no server$"),
        ("printf 'a\nb'", "printed 2 lines: it must print the key and nothing else"),
        ("false", "`false` failed with status 1: it printed no reason"),
        (f"{sys.executable} -c 'import sys; sys.exit(\"locked\")'", "failed with status 1: locked"),
    ],
)
def test_a_command_without_a_key_is_an_error(command: str, words: str) -> None:
    with pytest.raises(ServerUnusable, match=words):
        key_from_command(command)()


@pytest.mark.parametrize("key", ["a\nb", "a\r\nX-Other: 1", "schlüssel", "\0"])
def test_a_key_that_no_header_can_carry_is_an_error_without_it(key: str) -> None:
    with pytest.raises(ServerUnusable, match="printable ASCII") as raised:
        ApiKey(lambda: key).current()

    assert key not in str(raised.value)
