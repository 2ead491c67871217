from pathlib import Path

import pytest

from server_config import ServerConfig, ServerError, read_properties
from tests.conftest import ROOT


def test_a_server_is_told_its_own_ports_and_store(tmp_path: Path) -> None:
    config = ServerConfig(9080, tmp_path / "servers", tmp_path / "store")

    config.write(ROOT / "config.properties")

    properties = read_properties(config.properties_file)
    assert properties["inference_address"] == "http://127.0.0.1:9080"
    assert properties["management_address"] == "http://127.0.0.1:9081"
    assert properties["metrics_address"] == "http://127.0.0.1:9082"
    assert properties["grpc_inference_port"] == "8070"
    assert properties["allowed_urls"] == f"file://{tmp_path}/store/.*"
    assert properties["disable_token_authorization"] == "false"


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
