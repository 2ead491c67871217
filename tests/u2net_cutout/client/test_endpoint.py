from typing import Any

import pytest

from u2net_cutout.client.endpoint import Api, Endpoint
from u2net_cutout.client.errors import UsageError


@pytest.mark.parametrize(
    ("given", "api", "url"),
    [
        (("http://host:1",), Api.TORCHSERVE, "http://host:1/predictions/u2net"),
        (("http://host:1/", "a b"), Api.TORCHSERVE, "http://host:1/predictions/a%20b"),
        (("https://host/cut/",), Api.TORCHSERVE, "https://host/cut/predictions/u2net"),
        (("http://h/predictions/x/1.0",), Api.TORCHSERVE, "http://h/predictions/x/1.0"),
        (("http://h/v1.0/removebg",), Api.REMOVEBG, "http://h/v1.0/removebg"),
        (("http://h", None, Api.REMOVEBG), Api.REMOVEBG, "http://h/v1.0/removebg"),
        (("http://h", "isnet", Api.REMOVEBG), Api.REMOVEBG, "http://h/isnet/v1.0/removebg"),
        (("http://h/isnet/v1.0/removebg",), Api.REMOVEBG, "http://h/isnet/v1.0/removebg"),
    ],
)
def test_an_address_is_completed(given: tuple[Any, ...], api: Api, url: str) -> None:
    assert Endpoint.of(*given) == Endpoint(url, api)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8080",
        "ftp://host",
        "http://",
        "http://host/?format=png",
        "http://host/#x",
        "http://me:secret@host",
        "http://[",
    ],
)
def test_an_invalid_address_is_an_error(url: str) -> None:
    with pytest.raises(UsageError):
        Endpoint.of(url)


def test_an_address_of_the_other_form_is_refused() -> None:
    with pytest.raises(UsageError, match="of removebg, not of torchserve"):
        Endpoint.of("http://h/v1.0/removebg", api=Api.TORCHSERVE)


@pytest.mark.parametrize("path", ["v1.0/removebg", "u2net/v1.0/removebg", "predictions/u2net/1.0"])
def test_a_model_besides_a_path_is_not_ignored(path: str) -> None:
    with pytest.raises(
        UsageError, match="chooses the model by its path: leave out the model 'isnet'"
    ):
        Endpoint.of(f"http://h/{path}", "isnet")


def test_each_form_has_its_own_header_for_the_key() -> None:
    assert Endpoint("", Api.TORCHSERVE).headers("k") == {"Authorization": "Bearer k"}
    assert Endpoint("", Api.REMOVEBG).headers("k") == {"X-Api-Key": "k"}
    assert Endpoint("", Api.TORCHSERVE).headers(None) == {}


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1:8080", True),
        ("127.8.0.1", True),
        ("[::1]", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
    ],
)
def test_only_this_machine_is_local(host: str, local: bool) -> None:
    assert Endpoint.of(f"http://{host}").is_local is local
