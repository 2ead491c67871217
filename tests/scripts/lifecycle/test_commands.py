"""What the commands do around a server, without TorchServe; tests/served has it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.archive.build import build_archive
from scripts.common.errors import CommandError
from scripts.lifecycle import commands
from scripts.lifecycle.commands import serve
from scripts.lifecycle.start import make_room
from scripts.torchserve.config import ServerConfig
from scripts.torchserve.machine import Machine
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.worker_plan import (
    MEMORY_OF_THE_SERVER,
    MEMORY_WITH_NCNN,
    Profile,
    WorkerPlan,
)
from tests.conftest import ROOT

PORT = 31180


@pytest.fixture
def config(tmp_path: Path) -> ServerConfig:
    return ServerConfig(PORT, tmp_path / "servers", tmp_path / "model-store")


@pytest.fixture
def stranger(config: ServerConfig) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is found as the server, and that was started without a plan."""
    config.temporary.mkdir(parents=True)
    idle = (sys.executable, "-c", "import time; time.sleep(600)", str(config.properties_file))
    process = subprocess.Popen(idle, env={})
    (config.temporary / ".model_server.pid").write_text(str(process.pid))
    yield process
    process.kill()
    process.wait()


def lifecycle(config: ServerConfig, *arguments: str) -> subprocess.CompletedProcess[str]:
    build = config.servers.parent
    where = ("--build", str(build), "--port", str(config.port))
    return subprocess.run(
        [sys.executable, "-m", "scripts", *arguments, *where],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("stranger")
def test_a_server_without_a_plan_is_known_as_one(config: ServerConfig) -> None:
    assert TorchServeProcess(config).plan() is None
    assert "its plan of workers and cores is not known" in lifecycle(config, "status").stdout


def clean(config: ServerConfig) -> subprocess.CompletedProcess[str]:
    command = ["make", "clean", f"BUILD={config.servers.parent}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_running_server_is_not_cleaned_away(
    config: ServerConfig, stranger: subprocess.Popen[bytes]
) -> None:
    refused = clean(config)
    assert refused.returncode != 0
    assert f"a server runs, {config.folder}: make stop" in refused.stderr
    assert config.folder.exists()

    stranger.kill()
    stranger.wait()
    assert clean(config).returncode == 0
    assert not config.folder.exists()


COMMANDS = {"scale": ("scale",), "register": ("register", "--version", "1.0")}


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize("command", ["scale", "register"])
def test_without_a_plan_the_user_says_how_many_workers(config: ServerConfig, command: str) -> None:
    unsaid = lifecycle(config, *COMMANDS[command])
    said = lifecycle(config, *COMMANDS[command], "--workers", "2")

    assert "say WORKERS=<how many>" in unsaid.stderr
    # It goes on to the archive or to the tokens, neither of which is there.
    assert "u2net.mar can't be verified" in said.stderr or "key_file.json is not" in said.stderr


def test_a_server_that_is_replaced_has_ended_before_the_machine_is_looked_at(
    config: ServerConfig, stranger: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []
    look = Machine.here

    def here() -> Machine:
        ended.append(stranger.poll() is not None)
        return look()

    monkeypatch.setattr(Machine, "here", here)

    plan = make_room(config, Profile.THROUGHPUT, workers=1)

    assert (ended, plan.workers) == ([True], 1)


def test_workers_are_planned_as_large_as_the_archives_runtime_makes_them(
    networks: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_archive("u2netp", "1.0", networks["u2netp"], tmp_path / "model-store")
    memory = MEMORY_OF_THE_SERVER + 2 * MEMORY_WITH_NCNN
    monkeypatch.setattr(Machine, "here", lambda: Machine(((0,), (1,), (2,)), None, memory))
    planned: list[WorkerPlan] = []
    monkeypatch.setattr(
        "scripts.lifecycle.commands.start_server", lambda *arguments: planned.append(arguments[4])
    )
    where = ("--build", str(tmp_path), "--port", str(PORT), "--wheels", str(tmp_path))
    model = ("--model", "u2netp", "--version", "1.0")

    serve([*where, *model])

    assert [plan.workers for plan in planned] == [2]


@pytest.mark.parametrize(
    ("variables", "checked"),
    [({}, True), ({"PRECISION": "fp32"}, False), ({"RUNTIME": "torch"}, False)],
)
def test_a_rollout_checks_a_precision_that_the_user_has_not_chosen(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], checked: bool
) -> None:
    calls: list[str] = []
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in ("verify_archive", "gpus_for", "batching_for"):
        monkeypatch.setattr(commands, name, lambda *_: None)
    monkeypatch.setattr(commands, "check_precision", lambda *_: calls.append("check"))
    monkeypatch.setattr(commands, "roll_out", lambda *_: calls.append("roll out"))

    commands.rollout(["--version", "1.1"])

    assert calls == (["check"] if checked else []) + ["roll out"]


NOBODY = 65534


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize("command", ["status", "stop", "token", "logs", "scale"])
def test_the_server_of_another_user_is_left_alone(config: ServerConfig, command: str) -> None:
    try:
        os.chown(config.folder, NOBODY, NOBODY)
    except PermissionError as error:
        pytest.skip(f"only root can give a folder to another user: {error}")
    config.folder.chmod(0o700)
    where = ("--build", str(config.servers.parent), "--port", str(config.port))
    # Root as an ordinary user: without the right to read every file.
    done = subprocess.run(
        [
            *("setpriv", "--bounding-set=-dac_override,-dac_read_search"),
            *(sys.executable, "-m", "scripts", command, *where),
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "belongs to another user" in done.stderr or "of your own" in done.stderr


@pytest.mark.parametrize(
    ("target", "setting", "message"),
    [
        ("scale", "WORKERS=abc", "WORKERS=abc: expected a whole number above 0"),
        ("token", "KIND=foo", "KIND=foo: choose inference, management"),
        ("serve", "WORKERS=abc", "WORKERS=abc: expected a whole number above 0"),
        ("logs", f"PORT={PORT}", f"no server has run on port {PORT} yet: make serve"),
    ],
)
def test_what_make_cannot_use_is_a_sentence_that_names_it(
    tmp_path: Path, target: str, setting: str, message: str
) -> None:
    line = ["make", "--silent", target, f"BUILD={tmp_path}", setting]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert f"make {target}: {message}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_profile_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFILE", "fast")

    with pytest.raises(CommandError, match=r"^PROFILE=fast: choose throughput, latency$"):
        serve([])
