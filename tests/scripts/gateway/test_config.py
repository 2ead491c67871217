"""What nginx's configuration is made of; tests/served has nginx itself take it."""

import re
import resource
from pathlib import Path

import pytest

from scripts.gateway.config import GatewayConfig, address_connections, open_files
from scripts.gateway.sides import PrivateSide, PublicSide
from scripts.torchserve.config import ServerConfig, ServerError

MODULES, MIME_TYPES = Path("/modules"), Path("/mime.types")


def server_in(folder: Path) -> ServerConfig:
    return ServerConfig(9080, folder / "servers", folder / "model-store")


def written(config: GatewayConfig) -> dict[str, str]:
    config.write(MODULES, MIME_TYPES)
    return {file.stem: file.read_text() for file in config.folder.rglob("*.conf")}


def test_a_machine_alone_is_reached_by_a_socket_that_nobody_else_can_open(tmp_path: Path) -> None:
    private = PrivateSide(server_in(tmp_path), "u2net")
    public = PublicSide("127.0.0.1:8000")
    config = GatewayConfig(tmp_path / "gateway", "u2net", public, private)

    files = written(config)

    assert set(files) == {"nginx", "addresses", "public", "machine"}
    assert f"server unix:{config.private_socket};" in files["public"]
    assert f"listen unix:{config.private_socket};" in files["machine"]
    assert config.folder.stat().st_mode & 0o777 == 0o700


def test_a_private_side_lets_only_gateways_in(tmp_path: Path) -> None:
    private = PrivateSide(server_in(tmp_path), "u2net", "10.0.0.2:8070", ("10.0.0.1",))

    files = written(GatewayConfig(tmp_path / "gateway", "u2net", private=private))

    assert set(files) == {"nginx", "machine"}
    assert "allow 10.0.0.1; deny all;" in files["machine"]
    assert "server 127.0.0.1:9080;" in files["machine"]


def test_a_public_side_that_was_there_before_is_gone(tmp_path: Path) -> None:
    folder, private = tmp_path / "gateway", PrivateSide(server_in(tmp_path), "u2net")
    written(GatewayConfig(folder, "u2net", PublicSide("127.0.0.1:8000"), private))

    assert "machine" not in written(
        GatewayConfig(folder, "u2net", PublicSide("127.0.0.1:8000", ("10.0.0.2:8070",)))
    )


def test_no_place_is_left_open(tmp_path: Path) -> None:
    private = PrivateSide(server_in(tmp_path), "u2net")
    public = PublicSide("0.0.0.0:443", (), "/tls/certificate", "/tls/key")

    files = written(GatewayConfig(tmp_path / "gateway", "u2net", public, private))

    assert not any(re.search(r"@[A-Z]", text) for text in files.values())
    assert "listen 0.0.0.0:443 " in files["addresses"]
    assert "public.sock ssl http2 " in files["public"]


@pytest.mark.parametrize(
    ("hard", "files", "of_an_address"),
    [(1024, 1024, 64), (20_000, 16_384, 1024), (resource.RLIM_INFINITY, 16_384, 1024)],
)
def test_it_opens_no_more_files_than_the_machine_lets_it(
    hard: int, files: int, of_an_address: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (hard, hard))

    assert open_files() == files
    assert address_connections() == of_an_address


def test_in_a_container_it_logs_to_the_console(tmp_path: Path) -> None:
    nginx = written(GatewayConfig(tmp_path / "gateway", "u2net", console=True))["nginx"]

    assert "error_log stderr;" in nginx
    assert "access_log /dev/stdout gateway;" in nginx


def test_a_user_without_a_name_may_run_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What OpenShift does: a number that no passwd knows.
    monkeypatch.setattr("os.geteuid", lambda: 1_000_690_000)

    assert not re.search(r"^user ", written(GatewayConfig(tmp_path, "u2net"))["nginx"], re.M)


def test_a_path_that_is_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    private = PrivateSide(server_in(tmp_path), "u2net")

    with pytest.raises(ServerError, match="shorter BUILD"):
        GatewayConfig(folder, "u2net", private=private).write(MODULES, MIME_TYPES)
