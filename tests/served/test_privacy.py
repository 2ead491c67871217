"""Nothing that builds or serves asks the network, or writes outside of its build folder.

The commands run in a network namespace with a loopback and no other interface, under strace, which
sees the calls of all their processes, Java's included. Needs root.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from scripts.archive.build import build_archive
from scripts.common.options import without_options
from scripts.measure.scale_out.namespaces import why_not
from scripts.torchserve.config import ServerConfig
from scripts.torchserve.process import TorchServeProcess
from tests.conftest import ROOT
from tests.served.conftest import build_folder, server_in

MODEL = "u2netp"
# Calls that name an address. Of sendto and its like, only those without a connection do.
CALLS = "connect,sendto,sendmsg,sendmmsg"
ADDRESS = re.compile(
    r"htons\((?P<port>\d+)\).*?(?:inet_addr\(\"|inet_pton\(AF_INET6, \")(?P<host>[0-9a-f.:]+)\""
)
DNS = 53
# pip asks for the version of a Rust compiler, and rustup's, in a user's path, writes a file then.
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# A number that no account has.
UID = 123456

needs = pytest.mark.skipif(
    why_not() is not None or shutil.which("strace") is None,
    reason=why_not() or "strace is not installed: apt-get install strace",
)


@pytest.fixture
def server() -> Iterator[ServerConfig]:
    """Settings of a server with nothing built yet; what runs there is ended."""
    with build_folder() as build:
        for built in ("weights", "networks"):
            (build / built).unlink()
        config = server_in(build)
        yield config
        TorchServeProcess(config).stop()


def addresses(trace: Path) -> set[tuple[str, int]]:
    """The hosts and ports that were named in calls, but for loopback's."""
    found = ADDRESS.finditer(trace.read_text(errors="replace"))
    named = {(match["host"].removeprefix("::ffff:"), int(match["port"])) for match in found}
    # A lookup at a resolver on this machine would go on from there.
    return {(host, port) for host, port in named if not ip_address(host).is_loopback or port == DNS}


def traced(trace: Path, home: Path, *commands: Sequence[str]) -> None:
    """Run commands one after the other where there is no network."""
    home.mkdir()
    environment = {**without_options(os.environ), "HOME": str(home), "PATH": SYSTEM_PATH}
    calls = ["strace", "--follow-forks", "--seccomp-bpf", f"--output={trace}", "-e", CALLS]
    quoted = " && ".join(shlex.join(each) for each in commands)
    script = f"ip link set lo up && {shlex.join(calls)} sh -c {shlex.quote(quoted)}"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def command(name: str, server: ServerConfig, *arguments: str) -> list[str]:
    line = [sys.executable, "-m", "scripts", name, "--build", str(server.store.parent)]
    return [*line, *arguments]


def serving(server: ServerConfig, photo: Path, cutout: Path) -> list[list[str]]:
    """Commands that start a server, cut a photo out and stop the server."""
    port = ("--port", str(server.port))
    model = ("--model", MODEL)
    pictures = ("--image", str(photo), "--output", str(cutout))
    return [
        command("serve", server, *model, *port, "--profile", "latency"),
        command("cutout", server, *model, *port, *pictures),
        command("stop", server, *port),
    ]


@needs
def test_a_lookup_would_be_seen(tmp_path: Path) -> None:
    look = "import contextlib, socket\nwith contextlib.suppress(OSError):\n"
    look += "    socket.create_connection(('192.0.2.1', 443))\n"
    trace = tmp_path / "trace"

    traced(trace, tmp_path / "home", [sys.executable, "-c", look])

    assert addresses(trace) == {("192.0.2.1", 443)}


@needs
def test_building_and_serving_ask_no_network(
    server: ServerConfig, weights: Path, photo_files: list[Path], tmp_path: Path
) -> None:
    trace, home, cutout = tmp_path / "trace", tmp_path / "home", tmp_path / "cutout.png"
    source = ("--checkpoint", str(weights / f"{MODEL}.onnx"))
    # OpenVINO is what would ask; an archive for ncnn imports less of the same.
    kind = ("--runtime", "openvino", "--precision", "fp32")

    building = command("archive", server, "--model", MODEL, *source, *kind)
    traced(trace, home, building, *serving(server, photo_files[0], cutout))

    assert cutout.stat().st_size > 0
    assert addresses(trace) == set()
    assert list(home.iterdir()) == []


@needs
def test_it_serves_for_a_user_without_account_and_home(
    server: ServerConfig, openvino_network: Path, photo_files: list[Path]
) -> None:
    # OpenVINO, since it is the runtime that imports most.
    build_archive(MODEL, "1.0", openvino_network, server.store)
    build = server.store.parent
    for each in (build, *build.rglob("*")):
        os.chown(each, UID, 0, follow_symlinks=False)
    environment = without_options(os.environ)
    environment.pop("HOME", None)
    # The interpreter may lie in the home of another user.
    reading = ("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")
    user = ["setpriv", "--reuid", str(UID), "--regid", "0", "--clear-groups", *reading]

    cutout = build / "cutout.png"
    for line in serving(server, photo_files[0], cutout):
        done = subprocess.run(
            [*user, *line], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    assert cutout.stat().st_uid == UID
