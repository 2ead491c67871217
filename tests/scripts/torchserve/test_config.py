from dataclasses import replace
from pathlib import Path

import pytest

from scripts.torchserve.binding import ADDRESSES
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.machine import Machine
from scripts.torchserve.properties import read_properties
from scripts.torchserve.worker_plan import MEMORY_OF_A_WAITING_REQUEST, Profile, plan_workers
from tests.conftest import ROOT

PLAN = plan_workers(Machine(((0,), (1,)), None, 0), Profile.THROUGHPUT)


def test_a_server_is_told_its_own_ports_and_store(tmp_path: Path) -> None:
    config = ServerConfig(9080, tmp_path / "servers", tmp_path / "store")

    config.write(ROOT / "config.properties", PLAN)

    properties = read_properties(config.properties_file)
    assert properties["inference_address"] == "http://127.0.0.1:9080"
    assert properties["management_address"] == "http://127.0.0.1:9081"
    assert properties["metrics_address"] == "http://127.0.0.1:9082"
    assert properties["grpc_inference_port"] == "8070"
    assert properties["allowed_urls"] == "(?!)"
    assert properties["workflow_store"] != properties["model_store"]
    assert properties["disable_token_authorization"] == "false"


def test_nobody_else_can_look_into_the_servers_folder(tmp_path: Path) -> None:
    config = ServerConfig(9080, tmp_path / "servers", tmp_path / "store")
    config.folder.mkdir(parents=True, mode=0o755)

    config.write(ROOT / "config.properties", PLAN)

    assert config.folder.stat().st_mode & 0o777 == 0o700
    assert all(
        folder.is_relative_to(config.folder)
        for folder in (config.key_file, config.temporary, config.logs, config.properties_file)
    )


@pytest.mark.parametrize("interface", list(ADDRESSES))
def test_a_configuration_that_lets_others_in_is_refused(tmp_path: Path, interface: str) -> None:
    config = ServerConfig(9080, tmp_path / "servers", tmp_path / "store")
    base = tmp_path / "config.properties"
    base.write_text((ROOT / base.name).read_text() + f"{ADDRESSES[interface]}=http://0.0.0.0:1\n")

    with pytest.raises(ServerError, match=f"{ADDRESSES[interface]}=.*EXPOSE={interface}"):
        config.write(base, PLAN)

    assert not config.properties_file.exists()


@pytest.mark.parametrize("interface", list(ADDRESSES))
def test_only_what_is_exposed_can_be_reached_by_others(tmp_path: Path, interface: str) -> None:
    exposed = frozenset({interface})
    config = ServerConfig(9080, tmp_path / "servers", tmp_path / "store", exposed)

    config.write(ROOT / "config.properties", PLAN)

    properties = read_properties(config.properties_file)
    open_to_others = {name for name, key in ADDRESSES.items() if "0.0.0.0" in properties[key]}
    assert open_to_others == {interface}


@pytest.mark.parametrize("interface", list(ADDRESSES))
def test_a_server_of_kserves_protocol_shows_predictions_alone(
    tmp_path: Path, interface: str
) -> None:
    exposed = frozenset({interface})
    config = ServerConfig(
        9080, tmp_path / "servers", tmp_path / "store", exposed, only_model="u2net", kserve="v1"
    )

    if interface in {"inference", "grpc_inference"}:
        config.write(ROOT / "config.properties", PLAN)
        properties = read_properties(config.properties_file)
        assert properties["disable_token_authorization"] == "true"
        assert properties["enable_model_api"] == "false"
    else:
        for refuse in (config.check_binding, lambda base: config.write(base, PLAN)):
            with pytest.raises(ServerError, match=f"EXPOSE={interface} .*: leave it out"):
                refuse(ROOT / "config.properties")


def test_a_longer_queue_has_the_heap_to_hold_it(tmp_path: Path) -> None:
    config = ServerConfig(9080, tmp_path / "servers", tmp_path / "store")
    base = read_properties(ROOT / "config.properties")

    config.write(ROOT / "config.properties", replace(PLAN, queue=48))
    longer = read_properties(config.properties_file)
    config.write(ROOT / "config.properties", PLAN)
    same = read_properties(config.properties_file)

    assert (longer["job_queue_size"], same["job_queue_size"]) == ("48", base["job_queue_size"])
    assert f"-Xmx{48 * MEMORY_OF_A_WAITING_REQUEST >> 20}m" in longer["vmargs"].split()
    assert same["vmargs"] == base["vmargs"]


def test_a_short_queue_of_the_users_is_kept(tmp_path: Path) -> None:
    config = ServerConfig(9080, tmp_path / "servers", tmp_path / "store")
    base = tmp_path / "config.properties"
    base.write_text("job_queue_size=4\n")

    config.write(base, replace(PLAN, queue=48))

    assert read_properties(config.properties_file)["job_queue_size"] == "4"


def test_a_longer_queue_has_its_heap_where_no_arguments_are_given(tmp_path: Path) -> None:
    config = ServerConfig(9080, tmp_path / "servers", tmp_path / "store")
    base = tmp_path / "config.properties"
    base.write_text("job_queue_size=16\n")

    config.write(base, replace(PLAN, queue=48))

    heap = 48 * MEMORY_OF_A_WAITING_REQUEST >> 20
    assert read_properties(config.properties_file)["vmargs"] == f"-Xmx{heap}m"


@pytest.mark.parametrize(("word", "asks"), [("True", False), ("true", False), ("yes", True)])
def test_tokens_are_off_where_java_reads_it_so(tmp_path: Path, word: str, asks: bool) -> None:
    config = ServerConfig(9080, tmp_path / "servers", tmp_path / "store")
    base = tmp_path / "config.properties"
    base.write_text(f"disable_token_authorization={word}\n")

    config.write(base, PLAN)

    assert config.asks_for_tokens == asks


def test_the_plans_queue_and_heap_are_those_of_the_configuration() -> None:
    base = read_properties(ROOT / "config.properties")

    assert PLAN.queue == int(base["job_queue_size"])
    assert f"-Xmx{PLAN.heap_bytes >> 30}g" in base["vmargs"].split()


def test_the_repositorys_configuration_listens_on_this_machine_alone() -> None:
    properties = read_properties(ROOT / "config.properties")

    addresses = {name: value for name, value in properties.items() if "address" in name}
    assert len(addresses) == 5
    assert all("127.0.0.1" in address for address in addresses.values())


def test_two_servers_share_no_port() -> None:
    first, second = (ServerConfig(port, Path(), Path()) for port in (8080, 8180))

    assert not set(first.listening_ports) & set(second.listening_ports)


def test_a_port_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="PORT=1500"):
        ServerConfig(1500, tmp_path, tmp_path).check()


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 25)

    with pytest.raises(ServerError, match="BUILD="):
        ServerConfig(9080, folder, tmp_path).check()


def test_comments_and_values_with_equals_signs_are_read_right(tmp_path: Path) -> None:
    file = tmp_path / "some.properties"
    file.write_text("# a=b\n\nvmargs=-Xmx2g -Da=b\nport = 1\n")

    assert read_properties(file) == {"vmargs": "-Xmx2g -Da=b", "port": "1"}
