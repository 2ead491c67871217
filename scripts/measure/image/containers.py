"""Runs the image as a pod of two containers: by hand, and as the Deployment says."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.common.paths import ROOT
from scripts.measure.image.podman import Podman
from scripts.torchserve.binding import HOST

OVERLAY = ROOT / "deploy" / "kubernetes" / "overlays" / "cpu"
GATEWAY_PORT = 8000
# A queue holds 16 requests, and each worker one more.
WORKERS = 6


@dataclass(frozen=True)
class Pod:
    """A server and its gateway, which answers on this machine's loopback."""

    server: str
    gateway: str
    port: int

    @property
    def url(self) -> str:
        """Where the gateway answers."""
        return f"http://{HOST}:{self.port}"


@contextmanager
def pod_by_hand(podman: Podman, image: str, keys: Path, user: str) -> Iterator[Pod]:
    """Run both containers as a user, read-only and without capabilities, then remove them."""
    port = _free_port()
    pod = podman("pod", "create", "--publish", f"{HOST}:{port}:{GATEWAY_PORT}")
    volume = podman("volume", "create")
    try:
        run = (
            *("run", "--detach", "--pod", pod, "--user", user),
            *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all"),  # noqa: S108
            *("--security-opt", "no-new-privileges", "--volume", f"{volume}:/var/lib/cutout"),
        )
        server = podman(*run, image, "serve", "--workers", str(WORKERS))
        with_keys = ("--volume", f"{keys}:/etc/cutout/keys:ro")
        yield Pod(server, podman(*run, *with_keys, image, "gateway"), port)
    finally:
        podman("pod", "rm", "--force", "--time", "0", pod)
        podman("volume", "rm", volume)


@contextmanager
def pod_of_deployment(
    podman: Podman, kubectl: str, image: str, keys: Path, scratch: Path
) -> Iterator[Pod]:
    """Run the Deployment's pod by ``podman kube play``, then remove it."""
    name, port = f"image-test-{os.getpid()}", _free_port()
    built = subprocess.run(
        [kubectl, "kustomize", str(OVERLAY)], capture_output=True, text=True, check=True
    ).stdout
    (deployment,) = (each for each in yaml.safe_load_all(built) if each["kind"] == "Deployment")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": {"keys": keys.read_text(encoding="utf-8")},
    }
    file = scratch / "pod.yaml"
    resources = [secret, playable(deployment, name, image, port)]
    file.write_text(yaml.safe_dump_all(resources), encoding="utf-8")
    pod = f"{name}-pod"
    volumes: set[str] = set()
    try:
        podman("kube", "play", str(file))
        containers = [f"{pod}-{each}" for each in ("torchserve", "gateway")]
        mounts = podman("inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", *containers)
        volumes.update(mounts.split())
        server, gateway = podman("inspect", "--format", "{{.Id}}", *containers).split()
        yield Pod(server, gateway, port)
    finally:
        podman("pod", "rm", "--force", "--ignore", "--time", "0", pod)
        for volume in volumes:
            if podman.succeeds("volume", "exists", volume):
                podman("volume", "rm", volume)
        if podman.succeeds("secret", "inspect", name):
            podman("secret", "rm", name)


def playable(deployment: dict[str, Any], name: str, image: str, port: int) -> dict[str, Any]:
    """Return a Deployment as podman 4.3 can run it here, under another name.

    The gateway's port is published on this machine's loopback. The keys come from the secret
    `name`.
    """
    deployment["metadata"]["name"] = name
    pod = deployment["spec"]["template"]["spec"]
    server, gateway = pod["containers"]
    server["args"] += ["--workers", str(WORKERS)]
    gateway["ports"] = [{"containerPort": GATEWAY_PORT, "hostPort": port, "hostIP": HOST}]
    for container in pod["containers"]:
        container["image"] = image
    for volume in pod["volumes"]:
        if "secret" in volume:
            # podman 4.3 looks at `optional` without looking whether it is there.
            volume["secret"] = {"secretName": name, "optional": False}
    return deployment


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
