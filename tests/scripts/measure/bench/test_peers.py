import json
import socket
import sys
from pathlib import Path

import pytest

from scripts.measure.bench.peers import PeerServer, peer_servers, shared_weights
from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.servers import Fleet


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def web_server(name: str, folder: Path) -> PeerServer:
    """The standard library's, in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    return PeerServer(name, command, f"http://127.0.0.1:{port}/none", {}, folder)


def answers(server: PeerServer) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(server.command[3]))) == 0


def test_only_what_is_needed_runs_and_nothing_starts_twice(tmp_path: Path) -> None:
    first, second = web_server("first", tmp_path), web_server("second", tmp_path)
    fleet = Fleet({"first": first, "second": second})
    try:
        fleet.keep(["first", "second", "first"])
        assert (answers(first), answers(second)) == (True, True)

        kept = second.tree().root.pid
        fleet.keep(["second"])
        assert (answers(first), answers(second)) == (False, True)
        assert second.tree().root.pid == kept
    finally:
        fleet.keep([])

    assert not answers(second)
    with pytest.raises(BenchError, match="second has ended"):
        second.tree()


def test_one_that_ends_by_itself_is_told_with_its_log(tmp_path: Path) -> None:
    broken = PeerServer(
        "broken", [sys.executable, "-c", "1/0"], "http://127.0.0.1:9/", {}, tmp_path
    )

    with pytest.raises(BenchError, match=r"broken does not start, see .*broken\.log"):
        broken.start()

    assert "ZeroDivisionError" in broken.log.read_text()


def test_the_peers_share_the_weights_and_no_port(tmp_path: Path) -> None:
    weights = tmp_path / "u2net.onnx"
    weights.write_bytes(b"weights")

    peers = peer_servers(tmp_path / "venv", {"u2net": weights}, tmp_path / "peers", 9300, cores=2)

    homes = {peer.environment["U2NET_HOME"] for peer in peers}
    assert [(Path(home) / "u2net.onnx").read_bytes() for home in homes] == [b"weights"]
    assert len({peer.url.split("/")[2] for peer in peers}) == len(peers)


def weights_folder(published: Path, folder: Path) -> Path:
    """A folder with u2net's weights, their record and the file that they came from."""
    for suffix in (".pth", ".json", ".onnx"):
        (folder / f"u2net{suffix}").symlink_to(published / f"u2net{suffix}")
    return folder


def test_the_peers_serve_the_file_that_ours_came_from(weights: Path, tmp_path: Path) -> None:
    assert shared_weights(weights_folder(weights, tmp_path)) == tmp_path / "u2net.onnx"


def test_without_that_file_nothing_is_measured(weights: Path, tmp_path: Path) -> None:
    (weights_folder(weights, tmp_path) / "u2net.onnx").unlink()

    with pytest.raises(BenchError, match=r"u2net\.\* away, then make bench"):
        shared_weights(tmp_path)


def test_another_file_under_its_name_is_refused(weights: Path, tmp_path: Path) -> None:
    export = weights_folder(weights, tmp_path) / "u2net.onnx"
    export.unlink()
    export.write_bytes(b"another training")

    with pytest.raises(BenchError, match="is not the published file"):
        shared_weights(tmp_path)


def test_weights_of_ones_own_are_not_held_against_the_published(
    weights: Path, tmp_path: Path
) -> None:
    record = weights_folder(weights, tmp_path) / "u2net.json"
    told = json.loads(record.read_text()) | {"source": "mine.pth, sha256 0"}
    record.unlink()
    record.write_text(json.dumps(told))

    with pytest.raises(BenchError, match=r"ours \(mine\.pth, sha256 0\)"):
        shared_weights(tmp_path)


def test_one_that_does_not_start_leaves_the_others_running(tmp_path: Path) -> None:
    works = web_server("works", tmp_path)
    broken = PeerServer("broken", [sys.executable, "-c", ""], "http://127.0.0.1:9/", {}, tmp_path)
    fleet = Fleet({"broken": broken, "works": works})
    try:
        fleet.keep(["broken", "works"])

        assert fleet.running == {"works"}
        assert "broken does not start" in fleet.broken["broken"]
    finally:
        fleet.keep([])
