"""How nginx is found, without starting it; tests/served has it running."""

import os
from pathlib import Path

import pytest

from scripts.gateway.config import GatewayConfig
from scripts.gateway.nginx import MODULES, GatewayProcess, Nginx
from scripts.torchserve.config import ServerError


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that says of itself what Debian's nginx says, with modules in its own folder."""
    path = tmp_path / "nginx"
    path.write_text(
        "#!/bin/sh\n"
        f"echo 'configure arguments: --conf-path=/etc/x/nginx.conf --modules-path={tmp_path}' >&2\n"
    )
    path.chmod(0o755)
    return path


def test_without_nginx_the_packages_are_named(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"not installed: apt-get install nginx libnginx"):
        Nginx.find(str(tmp_path))


def test_without_a_module_its_package_is_named(program: Path) -> None:
    (program.parent / MODULES[0]).touch()

    with pytest.raises(ServerError, match=r"headers_more.*apt-get install libnginx-mod-http-js"):
        Nginx.find(str(program.parent))


def test_nginx_tells_where_its_files_are(program: Path) -> None:
    for module in MODULES:
        (program.parent / module).touch()

    found = Nginx.find(str(program.parent))

    assert found == Nginx(program, program.parent, Path("/etc/x/mime.types"))


def test_a_process_of_somebody_else_is_not_ours_and_its_number_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "nginx.pid").write_text(str(os.getpid()))
    process = GatewayProcess(GatewayConfig(tmp_path, "u2net"))

    assert process.find() is None
    assert not process.stop()
    assert not (tmp_path / "nginx.pid").exists()
