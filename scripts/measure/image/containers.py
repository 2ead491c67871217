"""Runs the image as a pod of two containers: by hand, and as the Deployment says."""

import base64
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


@dataclass(frozen=True)
class Pod:
    """A server and its gateway, which answers on this machine's loopback."""

    server: str
    gateway: str
    port: int
    workers: int

    @property
    def url(self) -> str:
        """Where the gateway answers."""
        return f"http://{HOST}:{self.port}"


@contextmanager
def pod_by_hand(podman: Podman, image: str, keys: Path, user: str, workers: int) -> Iterator[Pod]:
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
        server = podman(*run, image, "serve", "--workers", str(workers))
        with_keys = ("--volume", f"{keys}:/etc/cutout/keys:ro")
        yield Pod(server, podman(*run, *with_keys, image, "gateway"), port, workers)
    finally:
        podman("pod", "rm", "--force", "--time", "0", pod)
        podman("volume", "rm", volume)


@contextmanager
def pod_of_deployment(
    podman: Podman, kubectl: str, image: str, keys: Path, scratch: Path, workers: int
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
        "data": {"keys": base64.b64encode(keys.read_bytes()).decode()},
    }
    file = scratch / "pod.yaml"
    resources = [secret, playable(deployment, name, image, port, workers)]
    file.write_text(yaml.safe_dump_all(resources), encoding="utf-8")
    try:
        podman("kube", "play", str(file))
        mounted = Path(podman("volume", "inspect", "--format", "{{.Mountpoint}}", name), "keys")
        # podman 4.3 mounts what the Secret holds without decoding it.
        if mounted.read_bytes() != keys.read_bytes():
            mounted.write_bytes(base64.b64decode(mounted.read_bytes()))
        server, gateway = (_container(podman, name, each) for each in ("torchserve", "gateway"))
        yield Pod(server, gateway, port, workers)
    finally:
        for pod in podman("pod", "ps", "--quiet", "--filter", f"name={name}").split():
            podman("pod", "rm", "--force", "--time", "0", pod)
        for volume in podman("volume", "ls", "--quiet", "--filter", f"name={name}").split():
            podman("volume", "rm", volume)
        if podman.succeeds("secret", "inspect", name):
            podman("secret", "rm", name)


def playable(
    deployment: dict[str, Any], name: str, image: str, port: int, workers: int
) -> dict[str, Any]:
    """Return a Deployment as podman 4.3 can run it here, under another name.

    All names begin with it, so that nothing of this machine's is taken or removed. Only the
    gateway's port is published, on loopback.
    """
    deployment["metadata"]["name"] = name
    pod = deployment["spec"]["template"]["spec"]
    # Otherwise podman starts anew what SIGTERM has ended.
    pod["restartPolicy"] = "Never"
    server, gateway = pod["containers"]
    server["ports"] = []
    server["args"] += ["--workers", str(workers)]
    gateway["ports"] = [{"containerPort": GATEWAY_PORT, "hostPort": port, "hostIP": HOST}]
    for container in pod["containers"]:
        container["image"] = image
        for mount in container["volumeMounts"]:
            mount["name"] = f"{name}-{mount['name']}"
    for volume in pod["volumes"]:
        volume["name"] = f"{name}-{volume['name']}"
        if "secret" in volume:
            # podman 4.3 looks at `optional` without looking whether it is there.
            volume["secret"] = {"secretName": name, "optional": False}
    return deployment


def _container(podman: Podman, name: str, container: str) -> str:
    """Return the id of a container of a Deployment's pod, whose name podman's version makes."""
    listed = podman("ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}")
    (found,) = (
        each
        for each, its_name in map(str.split, listed.splitlines())
        if its_name.startswith(name) and its_name.endswith(f"-{container}")
    )
    return str(found)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
