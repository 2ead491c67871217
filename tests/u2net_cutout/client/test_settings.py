import pytest

from u2net_cutout.client.endpoint import Api, Endpoint
from u2net_cutout.client.errors import UsageError
from u2net_cutout.client.settings import connect


def test_the_environment_names_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("U2NET_URL", "http://host:1")
    monkeypatch.setenv("U2NET_MODEL", "u2netp")

    assert connect().endpoint == Endpoint("http://host:1/predictions/u2netp", Api.TORCHSERVE)


def test_arguments_come_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("U2NET_URL", "http://host:1")
    monkeypatch.setenv("U2NET_API", "torchserve")
    monkeypatch.delenv("U2NET_MODEL", raising=False)

    endpoint = connect("http://other:2", api="removebg").endpoint

    assert endpoint == Endpoint("http://other:2/v1.0/removebg", Api.REMOVEBG)


def test_without_either_it_is_the_server_of_make_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("U2NET_URL", "U2NET_MODEL", "U2NET_API"):
        monkeypatch.delenv(name, raising=False)

    assert connect().endpoint.url == "http://127.0.0.1:8080/predictions/u2net"


def test_a_form_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="torchserve or removebg, not 'rembg'"):
        connect(api="rembg")


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ({"key": "a"}, {"U2NET_KEY": "e"}, "a"),
        ({"key_command": "echo b"}, {"U2NET_KEY": "e"}, "b"),
        ({}, {"U2NET_KEY": "e", "U2NET_KEY_COMMAND": "echo f"}, "e"),
        ({}, {"U2NET_KEY_COMMAND": "echo f"}, "f"),
        ({}, {}, None),
    ],
)
def test_a_key_is_an_argument_or_in_the_environment(
    arguments: dict[str, str],
    environment: dict[str, str],
    expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("U2NET_KEY", "U2NET_KEY_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    key = connect(key=arguments.get("key"), key_command=arguments.get("key_command"))._key

    assert (key.current() if key else None) == expected
