"""The settings of one gateway, and nginx's configuration from them and ``deploy/nginx``."""

import importlib.util
import os
import pwd
import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.common.paths import ROOT
from scripts.gateway.sides import PrivateSide, PublicSide
from scripts.torchserve.binding import HOST
from scripts.torchserve.config import LONGEST_SOCKET_PATH, ServerError

TEMPLATES = ROOT / "deploy" / "nginx"
WEB = ROOT / "deploy" / "web"
API = ROOT / "deploy" / "api"
OPENAPI = ROOT / "docs" / "openapi.json"

# nginx takes some 3.5 MB for them in each worker process.
MOST_FILES = 16384
# One address may hold this part of what one of nginx's worker processes can; a connection of a
# client is up to three there.
SHARE_OF_AN_ADDRESS = 1 / 8
# Times that a request goes to a machine (gateway.js, redirect), each with a timeout of its own.
TRIES = 4
# nginx's http module closes an idle connection before.
IDLE_S = 90

FOLDERS = ("tmp", "servers", "streams", "tables", "counts", "renewals", "readiness")

_PLACE = re.compile(r"@([A-Z_]+)@")


def open_files() -> int:
    """Return how many files a worker process of nginx may open: what the hard limit allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)


def address_connections() -> int:
    """Return how many connections one address may have."""
    return int(open_files() // 2 * SHARE_OF_AN_ADDRESS)


def swagger_ui() -> Path:
    """Return the folder of the scripts of the API's page, in the package swagger-ui-py.

    Raises:
        ServerError: the package is not installed.
    """
    found = importlib.util.find_spec("swagger_ui")
    if found is None or found.origin is None:
        raise ServerError("swagger-ui-py is not installed: make serve installs it")
    return Path(found.origin).parent / "static"


@dataclass(frozen=True)
class GatewayConfig:
    """One nginx: a public side, a private side, or both."""

    folder: Path
    """Everything that it writes: configuration, keys, logs, temporary files."""
    model: str
    public: PublicSide | None = None
    private: PrivateSide | None = None
    console: bool = False
    """Whether it logs to standard output and error instead of files, as containers do."""

    @property
    def main_file(self) -> Path:
        """What nginx is started with."""
        return self.folder / "nginx.conf"

    @property
    def public_socket(self) -> Path:
        """Where the public side listens, behind the addresses that clients connect to."""
        return self.folder / "public.sock"

    @property
    def private_socket(self) -> Path:
        """Where the private side listens if it is for this machine's public side alone."""
        return self.folder / "machine.sock"

    @property
    def keys(self) -> Path:
        """The clients' keys."""
        return self.folder / "keys"

    @property
    def log(self) -> Path:
        """The log of errors."""
        return self.folder / "error.log"

    def files(self) -> list[Path]:
        """Return the files of nginx's configuration that exist."""
        return list(self.folder.rglob("*.conf"))

    def write(self, modules: Path, mime_types: Path) -> None:
        """Write nginx's configuration, and the folders that it needs.

        Raises:
            ServerError: a setting can't be written into it.
        """
        # The private side's socket needs no key, and the keys are here: closed to other users.
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for name in FOLDERS:
            (self.folder / name).mkdir(exist_ok=True)
        # Only root may choose; the workers read TorchServe's tokens, which are the user's own.
        root = os.geteuid() == 0
        common = {
            "MODULES": str(modules),
            "MIME_TYPES": str(mime_types),
            "USER": f"user {pwd.getpwuid(0).pw_name};" if root else "",
            "FOLDER": str(self.folder),
            "FILES": str(open_files()),
            "CONNECTIONS": str(open_files() // 2),
            "ERROR_LOG": "stderr" if self.console else str(self.log),
            "ACCESS_LOG": "/dev/stdout" if self.console else str(self.folder / "access.log"),
            "DEPLOY": str(TEMPLATES),
            "MODEL": self.model,
        }
        self._render("nginx", self.main_file, common)
        public, private = self._public_values(), self._private_values()
        parts = {"servers/public": public, "streams/addresses": public, "servers/machine": private}
        for part, values in parts.items():
            file = self.folder / f"{part}.conf"
            file.unlink(missing_ok=True)
            if values:
                self._render(file.stem, file, {**common, **values})

    def _public_values(self) -> dict[str, str]:
        public = self.public
        if public is None:
            return {}
        tls = public.certificate is not None
        lines = f"ssl_certificate {public.certificate}; ssl_certificate_key {public.private_key};"
        peers = [f"server {each} max_fails=1 fail_timeout=5s;" for each in public.machines]
        self._check_length(self.public_socket)
        return {
            "LISTEN": public.listen,
            "ADDRESS_CONNECTIONS": str(address_connections()),
            "SESSION_TIMEOUT": str(TRIES * public.read_timeout_s + IDLE_S),
            "PUBLIC_SOCKET": str(self.public_socket),
            "PROTOCOLS": " ssl http2" if tls else "",
            "TLS": lines if tls else "",
            "MACHINES": "\n    ".join(peers) or f"server unix:{self.private_socket};",
            "RATE": str(public.rate),
            "KEY_CONNECTIONS": str(public.connections),
            "ORIGIN": public.origin,
            "READ_TIMEOUT": str(public.read_timeout_s),
            "WEB": str(WEB),
            "API": str(API),
            "OPENAPI": str(OPENAPI),
            "SWAGGER_UI": str(swagger_ui()),
        }

    def _private_values(self) -> dict[str, str]:
        private = self.private
        if private is None:
            return {}
        if private.listen is None:
            self._check_length(self.private_socket)
        server = private.server
        allowed = [f"allow {address};" for address in private.allow]
        return {
            "MACHINE_LISTEN": private.listen or f"unix:{self.private_socket}",
            "ALLOW": " ".join([*allowed, "deny all;"]) if allowed else "",
            "INFERENCE": f"{HOST}:{server.port}",
            "MANAGEMENT": f"{HOST}:{server.port_of('management')}",
            "KEY_FILE": str(server.key_file),
            "READ_TIMEOUT": str(private.read_timeout_s),
        }

    def _check_length(self, socket: Path) -> None:
        if len(str(socket)) > LONGEST_SOCKET_PATH:
            raise ServerError(
                f"the path {self.folder} is too long for a socket: choose a shorter BUILD"
            )

    @staticmethod
    def _render(name: str, file: Path, values: Mapping[str, str]) -> None:
        text = (TEMPLATES / f"{name}.conf.in").read_text(encoding="utf-8")
        file.write_text(_PLACE.sub(lambda place: values[place[1]], text), encoding="utf-8")
