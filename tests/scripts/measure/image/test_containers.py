import shutil
import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml

from scripts.measure.image.containers import OVERLAY, playable

KUBECTL = shutil.which("kubectl")


@pytest.fixture
def deployment() -> dict[str, Any]:
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    command = [KUBECTL, "kustomize", str(OVERLAY)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (found,) = (each for each in yaml.safe_load_all(text) if each["kind"] == "Deployment")
    return dict(found)


def test_only_the_gateway_is_published_and_on_loopback(deployment: dict[str, Any]) -> None:
    pod = playable(deployment, "any", "some-image", 1234, 3)["spec"]["template"]["spec"]

    ports = [port for container in pod["containers"] for port in container["ports"]]
    assert ports == [{"containerPort": 8000, "hostPort": 1234, "hostIP": "127.0.0.1"}]


def test_it_takes_no_names_but_its_own(deployment: dict[str, Any]) -> None:
    playable(deployment, "any", "some-image", 1234, 3)

    pod = deployment["spec"]["template"]["spec"]
    assert deployment["metadata"]["name"] == "any"
    assert all(volume["name"].startswith("any-") for volume in pod["volumes"])
    assert {container["image"] for container in pod["containers"]} == {"some-image"}


def test_the_containers_stay_as_locked_as_the_deployments(deployment: dict[str, Any]) -> None:
    pod = playable(deployment, "any", "some-image", 1234, 3)["spec"]["template"]["spec"]

    assert pod["securityContext"]["runAsUser"] == 10001
    for container in pod["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    kubernetes_validate.validate(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any"}, "spec": pod}, "1.37"
    )
