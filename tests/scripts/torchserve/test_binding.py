import pytest

from scripts.torchserve.binding import OPEN_TO_KSERVE, is_loopback, objection


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8080",
        "127.0.0.1",
        "127.1.2.3",
        "localhost",
        "https://localhost:1",
        "[::1]",
    ],
)
def test_loopback_is_known(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address",
    [
        *("http://0.0.0.0:8080", "0.0.0.0", "", "http://:8081", "[::]", "http://10.0.0.1:8081"),
        *("127.0.0.1.example.org", "http://127.0.0.1@example.org:8081", "localhost.example.org"),
    ],
)
def test_everything_else_is_not(address: str) -> None:
    assert not is_loopback(address)


def test_what_is_not_there_can_not_be_exposed() -> None:
    words = objection({}, {"everything"})

    assert words is not None
    assert words.startswith("EXPOSE=everything: choose inference, management")


@pytest.mark.parametrize("value", ["true", "TRUE", "yes"])
def test_nothing_is_exposed_without_tokens(value: str) -> None:
    words = objection({"disable_token_authorization": value}, {"inference"})

    assert words is not None
    assert "would let anyone in" in words


def test_only_what_kserve_needs_is_exposed_without_tokens() -> None:
    tokenless = {"disable_token_authorization": "true"}

    words = objection(tokenless, {"inference", "metrics"}, OPEN_TO_KSERVE)

    assert words is not None
    assert words.startswith("EXPOSE=metrics with tokens switched off")
    assert objection(tokenless, {"inference", "grpc_inference"}, OPEN_TO_KSERVE) is None


def test_a_silent_configuration_is_torchserves_default_which_is_loopback() -> None:
    assert objection({}, frozenset()) is None
