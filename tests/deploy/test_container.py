"""What the image runs, as far as it can be known without an image."""

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "deploy" / "container.sh"


def test_it_is_a_shell_script() -> None:
    checked = subprocess.run(["sh", "-n", str(SCRIPT)], capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")
    assert SCRIPT.stat().st_mode & 0o111


@pytest.mark.parametrize("command", ["serve", "ready", "gateway-run"])
def test_its_commands_take_the_options_that_it_gives_them(command: str) -> None:
    text = SCRIPT.read_text().replace("\\\n", " ")
    (line,) = (line for line in text.splitlines() if f"-m scripts {command} " in line)
    options = re.findall(r"--[a-z-]+", line)

    helped = subprocess.run(
        [sys.executable, "-m", "scripts", command, "--help"],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert options
    assert set(options) <= set(re.findall(r"--[a-z-]+", helped))


def test_the_arguments_of_its_build_are_documented() -> None:
    file = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")
    guide = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    table = guide.partition("| build argument |")[2].partition("\n\n")[0]
    documented = {
        name
        for row in table.splitlines()[2:]
        for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])
    }

    assert set(re.findall(r"^ARG ([A-Z_]+)", file, re.MULTILINE)) == documented


def test_it_says_what_it_can_do() -> None:
    text = SCRIPT.read_text()

    # What makes folders is left out: only the choice is looked at.
    choice = text[text.index("what=") :]
    refused = subprocess.run(
        ["sh", "-euc", choice, "container.sh", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (refused.returncode, refused.stderr) == (2, "serve, gateway or ready, not nonsense\n")
