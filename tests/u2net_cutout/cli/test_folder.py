"""A folder that is watched, by the command as it is installed."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.u2net_cutout.cli.test_interrupts import ENDED_S, command, wait_for
from tests.u2net_cutout.client.failing_server import CUTOUT, FailingServer, failing_server, picture

OTHER = (200, CUTOUT[1], picture("PNG", "RGBA", (5, 5)))
WATCHING = ("p", "--watch", "--interval", "0.05", "in", "out")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"photo")
    return tmp_path


def end(running: "subprocess.Popen[bytes]") -> str:
    running.send_signal(signal.SIGINT)
    return running.communicate(timeout=ENDED_S)[1].decode()


def test_the_cutout_of_a_picture_that_changes_is_replaced(folder: Path) -> None:
    old, new = folder / "in" / "old.jpg", folder / "out" / "a.png"
    old.write_bytes(b"older")
    (folder / "out").mkdir()
    (folder / "out" / "old.png").write_bytes(b"done before")
    with (
        failing_server(CUTOUT, OTHER) as server,
        command(server, folder, *WATCHING) as running,
    ):
        wait_for(new.exists)
        assert new.read_bytes() == CUTOUT[2]
        (folder / "in" / "a.jpg").write_bytes(b"another photo")
        wait_for(lambda: new.read_bytes() == OTHER[2])
        end(running)

    assert running.returncode == 0
    assert (folder / "out" / "old.png").read_bytes() == b"done before"
    assert b"another photo" in server.sent[-1][1]
    assert len(server.sent) == 2


def test_a_server_that_is_away_is_reported_while_it_is_waited_for(folder: Path) -> None:
    with FailingServer([CUTOUT]) as free:
        pass  # its port is free again
    with command(free, folder, *WATCHING) as running:
        assert running.stderr
        said = running.stderr.readline()
        end(running)

    assert said.startswith(f"no connection to {free.url}/predictions/u2net: ".encode())
    assert b"; trying again in " in said
