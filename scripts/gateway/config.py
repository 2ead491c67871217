"""The settings of one gateway, and nginx's configuration made of them and ``deploy/nginx``."""

import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.common.paths import ROOT
from scripts.gateway.sides import PrivateSide, PublicSide
from scripts.torchserve.binding import HOST
from scripts.torchserve.config import LONGEST_SOCKET_PATH, ServerError

TEMPLATES = ROOT / "deploy" / "nginx"
WEB = ROOT / "deploy" / "web"

_PLACE = re.compile(r"@([A-Z_]+)@")


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
    def socket(self) -> Path:
        """Where the private side listens if it is for this machine's public side alone."""
        return self.folder / "machine.sock"

    @property
    def keys(self) -> Path:
        """The clients' keys."""
        return self.folder / "keys"

    @property
    def log(self) -> Path:
        """What nginx has to complain about."""
        return self.folder / "error.log"

    def files(self) -> list[Path]:
        """Return those of nginx's configuration that are there."""
        files = [self.main_file, *(self.folder / "servers").glob("*.conf")]
        return [file for file in files if file.exists()]

    def write(self, modules: Path, mime_types: Path) -> None:
        """Write nginx's configuration, and the folders that it needs.

        Raises:
            ServerError: a setting can't be written into it.
        """
        # The socket lets in without a key, the keys are the keys: nobody else may look in here.
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for name in ("tmp", "servers", "counts", "renewals"):
            (self.folder / name).mkdir(exist_ok=True)
        # Only root may choose; the workers read TorchServe's tokens, which are the user's own.
        root = os.geteuid() == 0
        common = {
            "MODULES": str(modules),
            "MIME_TYPES": str(mime_types),
            "USER": f"user {pwd.getpwuid(0).pw_name};" if root else "",
            "FOLDER": str(self.folder),
            "ERROR_LOG": "stderr" if self.console else str(self.log),
            "ACCESS_LOG": "/dev/stdout" if self.console else str(self.folder / "access.log"),
            "DEPLOY": str(TEMPLATES),
            "MODEL": self.model,
        }
        self._render("nginx", self.main_file, common)
        sides = {"public": self._public_values(), "machine": self._private_values()}
        for name, values in sides.items():
            file = self.folder / "servers" / f"{name}.conf"
            file.unlink(missing_ok=True)
            if values:
                self._render(name, file, {**common, **values})

    def _public_values(self) -> dict[str, str]:
        public = self.public
        if public is None:
            return {}
        tls = public.certificate is not None
        lines = f"ssl_certificate {public.certificate}; ssl_certificate_key {public.private_key};"
        peers = [f"server {each} max_fails=1 fail_timeout=5s;" for each in public.machines]
        return {
            "LISTEN": f"{public.listen}{' ssl http2' if tls else ''}",
            "TLS": lines if tls else "",
            "MACHINES": "\n    ".join(peers) or f"server unix:{self.socket};",
            "RATE": str(public.rate),
            "CONNECTIONS": str(public.connections),
            "ORIGIN": public.origin,
            "READ_TIMEOUT": str(public.read_timeout_s),
            "WEB": str(WEB),
        }

    def _private_values(self) -> dict[str, str]:
        private = self.private
        if private is None:
            return {}
        if private.listen is None and len(str(self.socket)) > LONGEST_SOCKET_PATH:
            raise ServerError(
                f"{self.folder} is too long a path for a socket: choose a shorter BUILD"
            )
        server = private.server
        allowed = [f"allow {address};" for address in private.allow]
        return {
            "MACHINE_LISTEN": private.listen or f"unix:{self.socket}",
            "ALLOW": " ".join([*allowed, "deny all;"]) if allowed else "",
            "INFERENCE": f"{HOST}:{server.port}",
            "MANAGEMENT": f"{HOST}:{server.port_of('management')}",
            "KEY_FILE": str(server.key_file),
            "READ_TIMEOUT": str(private.read_timeout_s),
        }

    @staticmethod
    def _render(name: str, file: Path, values: Mapping[str, str]) -> None:
        text = (TEMPLATES / f"{name}.conf.in").read_text(encoding="utf-8")
        file.write_text(_PLACE.sub(lambda place: values[place[1]], text), encoding="utf-8")
