import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common.running import deferred
from tests.conftest import ROOT

PROGRAM = """
import signal
signal.signal(signal.SIGHUP, {before})
from scripts.common.running import run
run("program", {{"show": "builtins:print"}}, ["show", "words"])
print(signal.getsignal(signal.SIGHUP))
"""


def shown(before: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_a_command_gets_the_other_words_and_listens_to_hangups() -> None:
    words, handler = shown("signal.SIG_DFL")

    assert words == "['words']"
    assert "_interrupt" in handler


def test_what_nohup_ignores_stays_ignored() -> None:
    assert shown("signal.SIG_IGN")[1] == "1"


TALKER = """
import time
from scripts.common.running import run
def talk(line):
    try:
        print("begun", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        for _ in range(3):
            time.sleep(0.2)
            print("undoing", flush=True)
        open(line[0], "w").close()
        raise
import scripts
scripts.talk = talk
run("program", {{"talk": "scripts:talk"}}, ["talk", {undone!r}])
"""


def read_until(terminal: int, words: bytes) -> None:
    shown = b""
    while words not in shown:
        shown += os.read(terminal, 100)


@pytest.mark.parametrize("first", [None, "^C"])
@pytest.mark.parametrize("leader", ["the command", "make"])
def test_a_terminal_that_closes_interrupts_and_the_undoing_is_finished(
    tmp_path: Path, leader: str, first: str | None
) -> None:
    undone, script, makefile = tmp_path / "undone", tmp_path / "talker.py", tmp_path / "Makefile"
    script.write_text(TALKER.format(undone=str(undone)))
    makefile.write_text(f"talk:\n\t@{sys.executable} {script}\n")
    command = [sys.executable, str(script)] if leader != "make" else ["make", "-f", str(makefile)]
    master, slave = pty.openpty()
    with subprocess.Popen(
        ["setsid", "--ctty", *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    ) as talker:
        os.close(slave)
        read_until(master, b"begun")
        if first:
            os.write(master, b"\x03")  # ^C
            read_until(master, b"undoing")
        os.close(master)
        assert talker.wait(30) != 0

    assert undone.exists()


def test_a_deferred_signal_interrupts_afterwards() -> None:
    reached = []

    def interrupted() -> None:
        with deferred():
            signal.raise_signal(signal.SIGINT)
            reached.append("the end")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_the_operating_system_refuses_is_a_sentence() -> None:
    code = (
        "import os, scripts\nfrom scripts.common.running import run\n"
        "def write(line):\n    os.write(os.open('/dev/full', os.O_WRONLY), b'x')\n"
        "scripts.write = write\nrun('program', {'write': 'scripts:write'}, ['write'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr == (
        "make write: No space left on device: free some space, or choose another BUILD=/path\n"
    )
