"""``make image-test``: build the image, run it as its manifests do, stop it under load."""

import secrets
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from http import HTTPStatus
from pathlib import Path

import requests

from scripts.common.http import local_session
from scripts.common.options import OptionParser
from scripts.common.paths import PHOTO
from scripts.measure.image.clients import SERVED, GatewayClients
from scripts.measure.image.containers import Pod, pod_by_hand, pod_of_deployment
from scripts.measure.image.image_build import build_image, make_base
from scripts.measure.image.image_size import show_size
from scripts.measure.image.podman import ImageTestError, Podman
from scripts.torchserve.worker_plan import QUEUE

# The image's own, and what OpenShift gives a pod: any number, in root's group.
USERS = ("10001", "123456:0")
# Of the pod. Each of isnet takes up to 3 GB: set WORKERS=2 if memory is short.
WORKERS = 6
START_TIMEOUT_S = 240
LOAD_S = 5
# The Deployment's terminationGracePeriodSeconds.
GRACE_S = 90
# What the server prints when all of its workers are.
ALL_READY = "READY after"
STATE = "{{.State.Running}} {{.State.ExitCode}}"


def image_test(line: Sequence[str]) -> None:
    """Build the image, run it and its Deployment, and stop both under load."""
    parser = OptionParser("image-test", "Build the image, run it and stop it under load.")
    parser.take("model", "pip-args", workers=WORKERS)
    parser.add_argument("--built", help="an image to test instead of building one")
    arguments = parser.parse_args(line)
    if (program := shutil.which("podman")) is None:
        print("skipped, the image too: podman is not installed: apt-get install podman runc")
        return
    begin = time.monotonic()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        podman = Podman.here(program, scratch)
        image = arguments.built
        if image is None:
            if base := make_base(podman, scratch):
                stack.callback(podman, "image", "rm", base)
            image = build_image(podman, scratch, arguments.model, arguments.pip_args)
            stack.callback(podman, "image", "rm", image)
            print(f"built after {time.monotonic() - begin:.0f} s", flush=True)
        show_size(podman, image)
        key = secrets.token_urlsafe(24)
        keys = scratch / "keys"
        keys.write_text(f"default {key}\n", encoding="utf-8")
        for user in USERS:
            print(f"containers of user {user}, read-only, without capabilities", flush=True)
            with pod_by_hand(podman, image, keys, user, arguments.workers) as pod:
                _stop_under_load(podman, pod, key, (pod.server,), (pod.gateway,))
        if (kubectl := shutil.which("kubectl")) is None:
            print("skipped, the Deployment: apt-get install kubernetes-client")
        else:
            print("the Deployment, by podman kube play", flush=True)
            with pod_of_deployment(podman, kubectl, image, keys, scratch, arguments.workers) as pod:
                _stop_under_load(podman, pod, key, (pod.server, pod.gateway))
    print(f"all of it took {time.monotonic() - begin:.0f} s")


def _stop_under_load(podman: Podman, pod: Pod, key: str, *stops: tuple[str, ...]) -> None:
    """Send SIGTERM to containers while requests are in flight, to one group after the other.

    Raises:
        ImageTestError: a request that was in flight is not served, or a container fails.
    """
    begin = time.monotonic()
    _wait_until_ready(podman, pod)
    print(f"  READY after {time.monotonic() - begin:.0f} s", flush=True)
    # One less than the smallest queue and the workers hold, so that none is refused.
    concurrency = QUEUE + pod.workers - 1
    clients = GatewayClients(pod.url, key, PHOTO.read_bytes(), concurrency)
    with local_session() as session:
        _expect(clients.send(session), SERVED, "a request with the key")
        stranger = GatewayClients(pod.url, "unknown", clients.photo, 1)
        refused = str(HTTPStatus.FORBIDDEN.value)
        _expect(stranger.send(session), refused, "a request with an unknown key")
    with clients.sending():
        time.sleep(LOAD_S)
        clients.send_no_more()
        stop = time.monotonic()
        codes = [code for group in stops for code in _terminate(podman, group)]
        seconds = time.monotonic() - stop
    in_flight = clients.in_flight(stop)
    total, served = in_flight.total(), in_flight[SERVED]
    print(
        f"  SIGTERM with {total} requests in flight: {served} served, {total - served} lost; "
        f"exit {codes} after {seconds:.1f} s",
        flush=True,
    )
    if total < concurrency - 1 or served < total or any(codes):
        raise ImageTestError(
            f"{total} requests of {concurrency} clients were in flight; their outcomes are "
            f"{dict(in_flight)}. The containers' last lines:\n"
            + "\n".join(podman.logs(each) for each in (pod.server, pod.gateway))
        )


def _wait_until_ready(podman: Podman, pod: Pod) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    with local_session() as session:
        while time.monotonic() < deadline:
            # The gateway may not listen yet. It is content with one worker, the load needs all.
            with suppress(requests.RequestException):
                healthy = session.get(f"{pod.url}/healthz", timeout=10).ok
                if healthy and ALL_READY in podman.logs(pod.server):
                    return
            for container in (pod.server, pod.gateway):
                if not podman("inspect", "--format", STATE, container).startswith("true"):
                    raise ImageTestError(f"a container ended:\n{podman.logs(container)}")
            time.sleep(1)
    raise ImageTestError(
        f"not all workers were READY after {START_TIMEOUT_S} s:\n{podman.logs(pod.server)}"
    )


def _terminate(podman: Podman, containers: Sequence[str]) -> list[int]:
    """Send SIGTERM to all of them at once; return their exit codes.

    Not by ``podman stop``: podman 4.3 ends a pod's network when the first of them has ended.

    Raises:
        ImageTestError: one of them outlives the grace period.
    """
    podman("kill", "--signal", "TERM", *containers)
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline:
        states = podman("inspect", "--format", STATE, *containers).split()
        if "true" not in states[::2]:
            return [int(code) for code in states[1::2]]
        time.sleep(0.2)
    raise ImageTestError(
        f"a container still runs {GRACE_S} s after SIGTERM:\n"
        + "\n".join(map(podman.logs, containers))
    )


def _expect(outcome: str, expected: str, what: str) -> None:
    if outcome != expected:
        raise ImageTestError(f"{what} got {outcome}, not {expected}")
