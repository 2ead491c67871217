import pytest

from scripts.gateway.sides import PublicSide, bind_address, checked_word
from scripts.torchserve.config import ServerError


@pytest.mark.parametrize(
    ("listen", "certificate", "url"),
    [
        ("127.0.0.1:8000", None, "http://127.0.0.1:8000"),
        ("0.0.0.0:80", None, "http://127.0.0.1:80"),
        ("*:443", "/certificate", "https://127.0.0.1:443"),
        ("cutouts.example.com:443", "/certificate", "https://cutouts.example.com:443"),
    ],
)
def test_the_address_that_is_told_can_be_asked(
    listen: str, certificate: str | None, url: str
) -> None:
    assert PublicSide(listen, certificate=certificate).url == url


@pytest.mark.parametrize("value", ["", "a b", "80; return 200", "{", "$host", "'", "a\nb", "#"])
def test_a_setting_can_not_bring_directives_along(value: str) -> None:
    with pytest.raises(ServerError, match="LISTEN="):
        checked_word("LISTEN", value)


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("8395", "127.0.0.1:8395"),
        (":8395", "127.0.0.1:8395"),
        ("0.0.0.0:443", "0.0.0.0:443"),
        ("[::1]:8000", "[::1]:8000"),
    ],
)
def test_a_port_alone_is_loopback(listen: str, address: str) -> None:
    assert bind_address(listen) == address


@pytest.mark.parametrize(
    "listen", ["localhost", "0.0.0.0", "0", "127.0.0.1:65536", "unix:/x", "a:"]
)
def test_an_address_without_a_port_is_refused(listen: str) -> None:
    with pytest.raises(ServerError, match="expected a port, or address:port"):
        bind_address(listen)
