import subprocess
import sys

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
    assert "_end" in handler


def test_what_nohup_ignores_stays_ignored() -> None:
    assert shown("signal.SIG_IGN")[1] == "1"
