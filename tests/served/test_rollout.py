"""Replacing a version under load, with a real server."""

import shutil
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from scripts.archive.build import build_archive
from scripts.archive.record import record_of
from scripts.lifecycle.removal import remove_model
from scripts.lifecycle.rollout import check_precision, roll_out
from scripts.torchserve.config import ServerError
from tests.served.conftest import Served, make
from u2net_cutout.network.metadata import METADATA_FILE, ModelMetadata

CLIENTS = 4


@pytest.fixture(autouse=True)
def version_1_0_again(
    served: Served, networks: dict[str, Path], other_archives: None
) -> Iterator[None]:
    """Leave the server as the other tests expect it."""
    yield
    if [each["modelVersion"] for each in served.api.versions("u2netp")] != ["1.0"]:
        remove_model(served.api, "u2netp", None)
        build_archive("u2netp", "1.0", networks["u2netp"], served.config.store)
        served.api.register("u2netp", "1.0", 1)


def test_no_request_fails_while_a_version_is_replaced(
    served: Served, weights: Path, photo_files: list[Path]
) -> None:
    photo = photo_files[1].read_bytes()
    statuses: list[object] = []
    done = threading.Event()
    unpacked = len(list(served.config.unpacked.iterdir()))

    def keep_asking() -> None:
        while not done.is_set():
            try:
                statuses.append(served.ask(data=photo, method="PUT").status_code)
            except requests.RequestException as error:
                statuses.append(error)

    clients = [threading.Thread(target=keep_asking) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        arguments = ("rollout", "MODEL=u2netp", "VERSION=1.1")
        rollout = make(served.build, served.config.port, *arguments)
    finally:
        done.set()
        for client in clients:
            client.join()

    assert rollout.returncode == 0, rollout.stderr
    assert [status for status in statuses if status != 200] == []
    # They were asked while the rollout went on; how many depends on the machine.
    assert len(statuses) > 2 * CLIENTS
    assert [each["modelVersion"] for each in served.api.versions("u2netp")] == ["1.1"]
    # The old version leaves nothing behind.
    assert len(list(served.config.unpacked.iterdir())) == unpacked
    assert list(served.config.holds.iterdir()) == []


def test_a_version_that_does_not_start_leaves_the_old_one_serving(
    served: Served, networks: dict[str, Path], photo_files: list[Path]
) -> None:
    archive = build_archive("u2netp", "1.2", networks["u2netp"], served.config.store)
    damage_weights(archive)

    with pytest.raises(ServerError, match=r"u2netp\.bin is damaged"):
        roll_out(served.api, "u2netp", "1.2")

    assert [each["modelVersion"] for each in served.api.versions("u2netp")] == ["1.0"]
    assert served.ask(data=photo_files[1].read_bytes(), method="PUT").status_code == 200


def damage_weights(archive: Path) -> None:
    with zipfile.ZipFile(archive) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    members["u2netp.bin"] = members["u2netp.bin"][:-1000]
    # `make` would refuse it by its record; the worker, which is asked here, knows of none.
    record_of(archive).unlink()
    with zipfile.ZipFile(archive, "w") as damaged:
        for name, content in members.items():
            damaged.writestr(name, content)


def test_an_interrupted_rollout_goes_on_where_it_stopped(
    served: Served, networks: dict[str, Path]
) -> None:
    build_archive("u2netp", "1.3", networks["u2netp"], served.config.store)
    served.api.register("u2netp", "1.3", 1)
    served.api.set_default("u2netp", "1.3")

    roll_out(served.api, "u2netp", "1.3")

    assert [each["modelVersion"] for each in served.api.versions("u2netp")] == ["1.3"]


def test_another_precision_than_the_served_one_is_not_rolled_out_in_silence(
    served: Served, networks: dict[str, Path], tmp_path: Path
) -> None:
    network = shutil.copytree(networks["u2netp"], tmp_path / "network")
    metadata = replace(ModelMetadata.read(network), precision="int8")
    (network / METADATA_FILE).write_text(metadata.to_json())
    build_archive("u2netp", "1.4", network, served.config.store)

    with pytest.raises(ServerError, match=r"served in fp32.*is in int8: set PRECISION=fp32 or "):
        check_precision(served.api, "u2netp", "1.4")

    build_archive("u2netp", "1.4", networks["u2netp"], served.config.store)
    check_precision(served.api, "u2netp", "1.4")


def test_rolling_out_what_is_served_is_refused(served: Served) -> None:
    with pytest.raises(ServerError, match="choose another VERSION"):
        roll_out(served.api, "u2netp", "1.0")
