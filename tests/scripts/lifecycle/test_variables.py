"""What make checks before it installs or builds anything, in a Python without packages."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


def check(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", BARE],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )


BARE = f"""
import runpy, sys
sys.path.insert(0, {str(ROOT)!r})
sys.argv = ["scripts", "check", "serve"]
runpy.run_module("scripts", run_name="__main__")
"""


def test_what_can_be_served_is_taken() -> None:
    done = check(MODEL="isnet", VERSION="1.1", EXPOSE="inference, metrics", PRECISION="fp32")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"WORKERS": "abc"}, "WORKERS=abc: expected a whole number above 0"),
        ({"PORT": "80"}, "PORT=80: choose 2034 to 64600"),
        ({"MODEL": "u3net"}, "MODEL=u3net: choose u2net, "),
        ({"VERSION": "all"}, "VERSION='all' is not a version"),
        ({"EXPOSE": "inference,all"}, "EXPOSE=all: choose inference, management"),
        ({"PRECISION": "half"}, "PRECISION=half: choose auto, fp32"),
        ({"CHECKPOINT": "none.pth"}, "CHECKPOINT=none.pth: there is no such file"),
        ({"KSERVE": "v1", "BATCH_DELAY": "0"}, "LOCKED=1 and KSERVE serve batches as "),
    ],
)
def test_what_can_not_be_is_an_error_that_names_the_target(
    variables: dict[str, str], words: str
) -> None:
    done = check(**variables)

    assert done.returncode == 1
    assert done.stderr.startswith(f"make serve: {words}")
    assert done.stderr.count("\n") == 1
