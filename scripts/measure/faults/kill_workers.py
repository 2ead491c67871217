"""Kill workers of a running server under load, and count what the clients got.

When all workers of the model are READY, one of them gets SIGKILL, again and again. The server
itself is neither started nor stopped.
"""

import random
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from scripts.common.options import OptionParser, positive
from scripts.common.paths import PHOTO
from scripts.measure.faults.clients import Outcome, SteadyClients
from scripts.measure.kit.errors import BenchError
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess

RETRIES, PAUSE_S = 2, 4.0
LOOK_AGAIN_S = 0.1
# Then a client gives up.
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Killing:
    """What the clients got, and the seconds from each kill until all workers were READY."""

    seconds: float
    plain: Sequence[Outcome]
    """Of clients that send each request once."""
    retrying: Sequence[Outcome]
    """Of clients that send it up to three times."""
    recoveries: Sequence[float]

    @property
    def without_response(self) -> list[str]:
        """The requests that got no response, each as the name of its error."""
        tries = [each for outcome in (*self.plain, *self.retrying) for each in outcome.tries]
        return [each for each in tries if not each.isdigit()]

    @property
    def sound(self) -> bool:
        """Whether each request got a cutout or a 5xx, and each with retries a cutout.

        And whether a worker was killed and all were READY in the end.
        """
        tries = {each for outcome in (*self.plain, *self.retrying) for each in outcome.tries}
        responses = all(each == "200" or (each.isdigit() and each[0] == "5") for each in tries)
        return responses and bool(self.recoveries) and all(each.served for each in self.retrying)

    def report(self) -> str:
        """Return it in words."""
        last = Counter(outcome.tries[-1] for outcome in self.plain)
        served = sum(outcome.served for outcome in self.retrying)
        again = sum(len(outcome.tries) > 1 for outcome in self.retrying)
        slowest = max(each.seconds for each in (*self.plain, *self.retrying))
        lines = [
            f"{len(self.recoveries)} workers were killed in {self.seconds:.0f} s",
            f"sent once: {len(self.plain)} requests, "
            + ", ".join(f"{count} x {status}" for status, count in sorted(last.items())),
            f"sent up to {1 + RETRIES} times, {PAUSE_S:.0f} s apart: {len(self.retrying)} requests,"
            f" {again} of them more than once, {served} served",
            f"without a response: {len(self.without_response)}; the slowest took {slowest:.1f} s",
        ]
        if self.recoveries:
            lines.append(
                "from SIGKILL to all workers READY: median "
                f"{statistics.median(self.recoveries):.1f} s, worst {max(self.recoveries):.1f} s"
            )
        return "\n".join(lines)


def kill_workers(
    config: ServerConfig, model: str, picture: bytes, seconds: float, concurrency: int
) -> Killing:
    """Kill random workers of a model for a while, with half the clients plain and half retrying.

    Raises:
        ServerError: the workers don't get READY again.
    """
    api = ManagementApi(config)
    version = str(api.describe(model)["modelVersion"])
    recoveries: list[float] = []
    plain = SteadyClients(config, model, picture, concurrency // 2, timeout_s=TIMEOUT_S)
    retrying = SteadyClients(
        config,
        model,
        picture,
        concurrency - concurrency // 2,
        retries=RETRIES,
        pause_s=PAUSE_S,
        timeout_s=TIMEOUT_S,
    )
    begin = time.monotonic()
    with plain.sending(), retrying.sending():
        while time.monotonic() - begin < seconds:
            recoveries.append(_kill_one(api, model, version))
            print(f"  killed {len(recoveries)}, READY after {recoveries[-1]:.1f} s", flush=True)
    return Killing(time.monotonic() - begin, plain.outcomes, retrying.outcomes, recoveries)


def _kill_one(api: ManagementApi, model: str, version: str) -> float:
    """Kill a worker as soon as all are READY; return the seconds until as many others are."""
    described = api.describe(model, version)
    count = len(described["workers"])
    api.wait_until_ready(model, version, count)
    # A worker that TorchServe is starting has no process yet; its pid is -1.
    pids = [pid for pid in _ready(api, model, version) if pid > 0]
    if not pids:
        raise ServerError(f"{model} {version} has no worker to kill: make scale WORKERS=2")
    victim = random.choice(pids)
    begin = time.monotonic()
    _worker_of(api.config, victim).kill()
    deadline = begin + described["startupTimeout"]
    while time.monotonic() < deadline:
        ready = _ready(api, model, version)
        # Until TorchServe notices, the killed worker is listed as READY.
        if len(ready) == count and victim not in ready:
            return time.monotonic() - begin
        time.sleep(LOOK_AGAIN_S)
    raise ServerError(f"{model} {version}: the workers don't become READY again; see make status")


def _ready(api: ManagementApi, model: str, version: str) -> list[int]:
    workers = api.describe(model, version)["workers"]
    return [worker["pid"] for worker in workers if worker["status"] == "READY"]


def _worker_of(config: ServerConfig, pid: int) -> psutil.Process:
    """Return a process after checking that it is a child of the server.

    Raises:
        ServerError: it is not, or has ended.
    """
    server = TorchServeProcess(config).find()
    children = server.children(recursive=True) if server else []
    for process in children:
        if process.pid == pid:
            return process
    raise ServerError(f"process {pid} is not a worker of the server on port {config.port}")


def kill_workers_command(line: Sequence[str]) -> None:
    """Kill workers of the running server again and again, under load."""
    parser = OptionParser("kill-workers", "Kill workers of the running server, under load.")
    parser.take("port", "build", "model", "duration", picture=PHOTO)
    parser.add_argument("--concurrency", type=positive, default=8)
    arguments = parser.parse_args(line)
    try:
        killing = kill_workers(
            ServerConfig.of(arguments.port, arguments.build),
            arguments.model,
            arguments.picture.read_bytes(),
            arguments.duration,
            arguments.concurrency,
        )
    except (OSError, psutil.Error) as error:
        raise BenchError(str(error)) from error
    print(killing.report())
    if not killing.sound:
        raise BenchError("a request got no cutout, or no response; the counts are above")
