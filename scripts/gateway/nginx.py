"""Starts, finds and stops one gateway's nginx, and no other process."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

import psutil

from scripts.gateway.config import GatewayConfig
from scripts.torchserve.config import ServerError

PACKAGES = (
    "nginx",
    "libnginx-mod-http-js",
    "libnginx-mod-http-headers-more-filter",
    "libnginx-mod-stream",
)
MODULES = (
    "ngx_http_js_module.so",
    "ngx_http_headers_more_filter_module.so",
    "ngx_stream_module.so",
)

# Responses in progress have this long; TorchServe's own deadline for one is 60 s at most (isnet).
STOP_TIMEOUT_S = 70
RELOAD_TIMEOUT_S = 15

# Ordinary users don't have the last two in their PATH.
FOLDERS = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


@dataclass(frozen=True)
class Nginx:
    """The nginx of the distribution, with its packaged modules."""

    program: Path
    modules: Path
    mime_types: Path

    @classmethod
    def find(cls, folders: str = FOLDERS) -> "Nginx":
        """Find it in one of `folders`.

        Raises:
            ServerError: it or one of the modules is not installed.
        """
        found = shutil.which("nginx", path=folders)
        if found is None:
            raise ServerError(f"nginx is not installed: apt-get install {' '.join(PACKAGES)}")
        about = subprocess.run([found, "-V"], capture_output=True, text=True, check=False).stderr
        paths = dict(re.findall(r"--(modules|conf)-path=(\S+)", about))
        modules = Path(paths.get("modules", "/usr/lib/nginx/modules"))
        missing = [name for name in MODULES if not (modules / name).exists()]
        if missing:
            raise ServerError(
                f"nginx has no {' and no '.join(missing)} in {modules}: "
                f"apt-get install {' '.join(PACKAGES[1:])}"
            )
        conf = Path(paths.get("conf", "/etc/nginx/nginx.conf"))
        return cls(Path(found), modules, conf.with_name("mime.types"))


@dataclass(frozen=True)
class GatewayProcess:
    """The nginx process of one gateway."""

    config: GatewayConfig

    def start(self) -> None:
        """Start it in the background, or give the running one the new settings.

        Raises:
            ServerError: nginx is not installed, does not take a setting, or does not start.
        """
        running = self.find()
        if running is not None:
            self._reload(running)
            return
        command = self._checked()
        self._remove_sockets()
        _run([*command, "-e", str(self.config.log)])

    def start_in_foreground(self) -> subprocess.Popen[bytes]:
        """Start it as a child of this process, with the same standard output and error.

        Raises:
            ServerError: nginx is not installed, or does not take a setting.
        """
        command = self._checked()
        self._remove_sockets()
        # A session of its own: Ctrl-C is for this process, which then lets nginx end its requests.
        return subprocess.Popen(
            [*command, "-e", "stderr", "-g", "daemon off;"], start_new_session=True
        )

    def _remove_sockets(self) -> None:
        """Remove what a crash left behind, which nginx could not bind to."""
        self.config.public_socket.unlink(missing_ok=True)
        self.config.private_socket.unlink(missing_ok=True)

    def _checked(self) -> list[str]:
        """Write the configuration and have nginx check it; return the command that starts it."""
        nginx = Nginx.find()
        self.config.write(nginx.modules, nginx.mime_types)
        command = [str(nginx.program), "-p", str(self.config.folder)]
        command += ["-c", str(self.config.main_file)]
        _run([*command, "-e", "stderr", "-q", "-t"])
        return command

    def _reload(self, running: psutil.Process) -> None:
        """Give the running one the new settings; if it refuses them, restore the old ones."""
        before = {file: file.read_text(encoding="utf-8") for file in self.config.files()}
        try:
            self._checked()
            logged = self.config.log.stat().st_size
            workers = set(running.children())
            ports = set().union(*map(_listening_ports, workers))
            running.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + RELOAD_TIMEOUT_S
            # It has them when it has started new worker processes and the old ones do not listen
            # any more. It tries an address in use several times, for seconds, before it gives up.
            while not set(running.children()) - workers or any(map(_listening_ports, workers)):
                complaints = self.config.log.read_bytes()[logged:].decode(errors="replace")
                if re.search(r"\[emerg\](?!.* failed \(98)", complaints):
                    raise _failure(complaints, ports)
                if time.monotonic() > deadline:
                    raise ServerError(f"nginx keeps its old settings: see {self.config.log}")
                time.sleep(0.05)
        except (ServerError, psutil.Error) as error:
            for file in self.config.files():
                file.unlink()
            for file, text in before.items():
                file.write_text(text, encoding="utf-8")
            if isinstance(error, ServerError):
                raise
            raise ServerError(f"nginx ended: see {self.config.log}") from error

    def find(self) -> psutil.Process | None:
        """Return the running nginx, or None.

        The number in the file may belong to another process by now; the command line shows it.
        """
        try:
            process = psutil.Process(int((self.config.folder / "nginx.pid").read_text()))
            ours = str(self.config.main_file) in " ".join(process.cmdline())
            return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, psutil.Error):
            return None

    def stop(self) -> bool:
        """Stop it after the requests in progress; return whether there was one.

        Raises:
            ServerError: it belongs to another user.
        """
        process = self.find()
        if process is None:
            # A crash leaves it behind.
            (self.config.folder / "nginx.pid").unlink(missing_ok=True)
            return False
        try:
            process.send_signal(signal.SIGQUIT)
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while self.find() is not None and time.monotonic() < deadline:
                time.sleep(0.05)
            if (survivor := self.find()) is not None:
                survivor.terminate()
        except psutil.NoSuchProcess:
            pass
        except psutil.AccessDenied as error:
            raise ServerError(f"process {process.pid} belongs to another user") from error
        return True


def _listening_ports(worker: psutil.Process) -> set[int]:
    try:
        connections = worker.net_connections("tcp")
    except psutil.NoSuchProcess:
        return set()
    return {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    raise _failure(done.stderr)


def _failure(complaints: str, own_ports: Set[int] = frozenset()) -> ServerError:
    if taken := re.search(r"bind\(\) to (\S+:(\d+)) failed \(98", complaints):
        if int(taken[2]) in own_ports:
            # nginx can't widen or narrow an address while it listens there.
            return ServerError(
                f"{taken[1]} overlaps the gateway's address: make gateway-stop first"
            )
        return ServerError(f"another process uses {taken[1]}: choose another LISTEN")
    return ServerError(f"nginx does not start:\n{complaints.strip()}")
