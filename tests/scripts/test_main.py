"""``python -m scripts``: every command is there, and ends as it should."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import psutil
import pytest

from scripts.__main__ import COMMANDS
from tests.conftest import ROOT


def run(*line: str, **how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts", *line],
        cwd=ROOT,
        env={**os.environ, **how},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_of_the_table_is_a_function(name: str) -> None:
    module, _, function = COMMANDS[name].partition(":")

    assert callable(getattr(import_module(module), function))


def test_every_target_that_calls_a_command_calls_one_of_the_table() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    called = {
        words.split()[0]
        for mark in ("$(CLI) ", "-m scripts ")
        for words in text.split(mark)[1:]
        if words[0].isalpha()
    }
    (by_name,) = re.findall(r"^([a-z \\\n-]+):\n\t@\$\(CLI\) \$@$", text, re.MULTILINE)
    named = set(by_name.replace("\\", "").split())

    assert called | named <= COMMANDS.keys()
    assert {"help", "lock", "weights"} <= called | named
    # Each has a line of its own, with what it needs and its help.
    assert all(re.search(rf"^{each}: .*  ## ", text, re.MULTILINE) for each in named)


def test_what_is_no_command_is_told_with_all_that_are() -> None:
    for line in (["nonsense"], []):
        done = run(*line)
        assert done.returncode == 1
        assert "choose help, check, weights, archive" in done.stderr


def test_an_error_is_a_sentence_that_names_the_command() -> None:
    done = run("status", PORT="abc")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "make status: PORT=abc: expected a whole number above 0, got 'abc'\n"


def test_help_shows_groups_targets_and_variables() -> None:
    text = run("help").stdout

    for words in (
        "\nExamples\n  make serve ",
        "\nServe\n",
        "  serve  ",
        "make serve MODEL=u2netp PORT=9000",
        " PORT  ",
        "(default: 8080)",
        " NOW=1  ",
        "(inference, management; default: inference)",
    ):
        assert words in text


def test_a_closed_pipe_is_no_error() -> None:
    line = f"{sys.executable} -m scripts help | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""


def names_below(process: psutil.Process) -> set[str]:
    names = set()
    for each in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            names.add(each.name())
    return names


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_as_ctrl_c_does(number: signal.Signals, tmp_path: Path) -> None:
    document = tmp_path / "wait.md"
    document.write_text("```sh\nsleep 60\n```\n")
    (tmp_path / "build").mkdir()
    line = [sys.executable, "-m", "scripts", "follow-docs", "--fresh", str(document)]
    with subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True) as command:
        process = psutil.Process(command.pid)
        while "sleep" not in names_below(process):
            assert command.poll() is None
            time.sleep(0.05)
        command.send_signal(number)
        _, words = command.communicate(timeout=30)

    assert (command.returncode, words) == (1, "make follow-docs: interrupted\n")


def test_converting_weights_writes_nothing_into_the_home_directory(tmp_path: Path) -> None:
    # Nothing else of the environment: onnxruntime keeps still in CI systems by their variables too.
    environment = {"PATH": os.environ["PATH"]}

    def home_after(code: str, name: str) -> list[Path]:
        home = tmp_path / name
        home.mkdir()
        command = [sys.executable, "-W", "ignore", "-c", code]
        subprocess.run(command, cwd=ROOT, env={**environment, "HOME": str(home)}, check=True)
        return list(home.iterdir())

    assert home_after("import scripts.weights.convert", "ours") == []
    # Otherwise this could not fail.
    assert home_after("import onnxruntime", "plain") != []
