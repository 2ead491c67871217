"""The manifests: valid for Kubernetes, locked down, and true to the server's own ports."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from scripts.gateway.config import TEMPLATES
from scripts.torchserve.config import DEFAULT_PORT, ServerConfig
from scripts.torchserve.machine import Machine
from scripts.torchserve.worker_plan import (
    CORES_BESIDE_A_GPU,
    Profile,
    memory_of_a_worker,
    plan_workers,
)

DEPLOY = TEMPLATES.parent
KUBERNETES = "1.37"
OVERLAYS = ("cpu", "gpu")

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")


def overlay(name: str) -> dict[str, Any]:
    """The resources of an overlay, by kind."""
    command = ["kubectl", "kustomize", str(DEPLOY / "kubernetes" / "overlays" / name)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def runtimes() -> list[dict[str, Any]]:
    text = (DEPLOY / "kserve" / "serving-runtime.yaml").read_text(encoding="utf-8")
    return list(yaml.safe_load_all(text))


def check_locked(container: dict[str, Any]) -> None:
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}


@needs_kubectl
@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_valid(name: str) -> None:
    resources = overlay(name)

    assert {"Deployment", "Service", "HorizontalPodAutoscaler"} < set(resources)
    assert {"PodDisruptionBudget", "NetworkPolicy"} < set(resources)
    for resource in resources.values():
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)


@needs_kubectl
@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_are_locked_down_and_only_the_gateway_is_reached(name: str) -> None:
    resources = overlay(name)
    pod = resources["Deployment"]["spec"]["template"]["spec"]
    containers = {container["name"]: container for container in pod["containers"]}

    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in containers.values():
        check_locked(container)
    assert resources["Service"]["spec"]["ports"][0]["targetPort"] == "http"
    assert [port["name"] for port in containers["gateway"]["ports"]] == ["http"]
    metrics = ServerConfig(DEFAULT_PORT, Path(), Path()).port_of("metrics")
    assert containers["torchserve"]["ports"] == [{"name": "metrics", "containerPort": metrics}]
    assert containers["gateway"]["readinessProbe"]["httpGet"]["path"] == "/healthz"


@needs_kubectl
def test_only_the_gpu_overlay_asks_for_a_gpu() -> None:
    limits = {
        name: overlay(name)["Deployment"]["spec"]["template"]["spec"]["containers"][0]["resources"][
            "limits"
        ]
        for name in OVERLAYS
    }

    assert "nvidia.com/gpu" not in limits["cpu"]
    assert limits["gpu"]["nvidia.com/gpu"] == "1"


def deployments() -> list[dict[str, Any]]:
    """The pods' containers that serve, each with its limits."""
    folder = DEPLOY / "kubernetes"
    files = (folder / "base" / "deployment.yaml", folder / "overlays" / "gpu" / "gpu.yaml")
    texts = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    return [each["spec"]["template"]["spec"]["containers"][0] for each in texts] + [
        each["spec"]["containers"][0] for each in runtimes()
    ]


@pytest.mark.parametrize("container", deployments())
def test_the_memory_holds_as_many_workers_as_the_cpus_allow(container: dict[str, Any]) -> None:
    limits = container["resources"]["limits"]
    cpus, gpus = int(limits["cpu"]), int(limits.get("nvidia.com/gpu", 0))
    memory = int(limits["memory"].removesuffix("Gi")) << 30
    # A node with more cores than the pod is granted.
    node = tuple((core,) for core in range(64))

    # What the image holds by default.
    worker = memory_of_a_worker("torch" if gpus else "ncnn", "u2net")
    plan = plan_workers(Machine(node, cpus, memory), Profile.THROUGHPUT, None, gpus, worker)

    assert plan.workers == (cpus // CORES_BESIDE_A_GPU if gpus else cpus)


def test_the_autoscaler_takes_a_rate_that_the_adapter_makes_of_our_counter() -> None:
    base = DEPLOY / "kubernetes" / "base" / "autoscaler.yaml"
    wanted = yaml.safe_load(base.read_text(encoding="utf-8"))["spec"]["metrics"]
    adapter = DEPLOY / "kubernetes" / "prometheus-adapter.yaml"
    (rule,) = yaml.safe_load(adapter.read_text(encoding="utf-8"))["rules"]["custom"]

    names = [metric["pods"]["metric"]["name"] for metric in wanted if metric["type"] == "Pods"]
    assert names == [rule["name"]["as"]]
    assert rule["seriesQuery"].startswith("cutout_answers_total{")
    assert "rate(" in rule["metricsQuery"]


@pytest.mark.parametrize("runtime", runtimes(), ids=lambda each: each["metadata"]["name"])
def test_a_serving_runtime_has_a_valid_pod(runtime: dict[str, Any]) -> None:
    spec = runtime["spec"]
    pod = {"containers": spec["containers"], "volumes": spec["volumes"]}
    resource = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any"}, "spec": pod}

    kubernetes_validate.validate(resource, KUBERNETES, strict=True)
    (container,) = spec["containers"]
    check_locked(container)
    protocol = container["args"][container["args"].index("--kserve") + 1]
    assert protocol in spec["protocolVersions"]


def test_the_inference_service_names_a_runtime_of_its_protocol() -> None:
    text = (DEPLOY / "kserve" / "inference-service.yaml").read_text(encoding="utf-8")
    model = yaml.safe_load(text)["spec"]["predictor"]["model"]
    named = {each["metadata"]["name"]: each["spec"] for each in runtimes()}

    assert model["protocolVersion"] in named[model["runtime"]]["protocolVersions"]


def test_the_containerfile_is_clean() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    command = [str(hadolint), str(DEPLOY / "Containerfile")]
    linted = subprocess.run(command, capture_output=True, text=True, check=False)

    assert linted.returncode == 0, linted.stdout
