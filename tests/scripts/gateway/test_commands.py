from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from scripts.common.errors import CommandError
from scripts.gateway.commands import gateway, gateway_run, link_keys


def test_keys_of_a_secret_of_kubernetes_are_followed_when_they_are_exchanged(
    tmp_path: Path,
) -> None:
    secret, link = tmp_path / "secret", tmp_path / "gateway" / "keys"
    for name in ("..before", "..after"):
        (secret / name).mkdir(parents=True)
        (secret / name / "keys").write_text(name)
    (secret / "..data").symlink_to("..before")
    (secret / "keys").symlink_to("..data/keys")

    for _ in range(2):  # a container is started again on the same volume
        link_keys(link, secret / "keys")
    before = link.read_text()
    # As kubelet does it: a new link is put in the place of the old one.
    (secret / "..data_tmp").symlink_to("..after")
    (secret / "..data_tmp").rename(secret / "..data")
    (secret / "..before" / "keys").unlink()

    assert (before, link.read_text()) == ("..before", "..after")


@pytest.mark.parametrize("command", [gateway, gateway_run])
@pytest.mark.parametrize("listen", ["0.0.0.0:8443", "*:8443", "10.0.0.1:8443", "[::]:8443"])
def test_beyond_loopback_without_tls_it_has_to_be_asked_for(
    command: Callable[[Sequence[str]], None], listen: str, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match="CERTIFICATE and PRIVATE_KEY, or PLAINTEXT=1"):
        command(["--build", str(tmp_path), "--listen", listen])


@pytest.mark.parametrize("rate", ["-5", "0", "many", "1.5"])
def test_a_rate_is_a_number_above_nothing(
    rate: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATE", rate)

    with pytest.raises(CommandError, match=f"RATE={rate}: expected a whole number above 0"):
        gateway(["--build", str(tmp_path)])
