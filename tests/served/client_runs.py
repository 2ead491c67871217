"""The client's command in a process of its own, as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.served.conftest import Served

COMMAND = (sys.executable, "-c", "from u2net_cutout.cli.entry import run; run()")


def environment(served: Served) -> dict[str, str]:
    """Return what tells the client where the server is, and a key."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "U2NET_URL": served.config.inference_address,
        "U2NET_MODEL": "u2netp",
        "U2NET_KEY": served.api.token("inference"),
    }


def client(
    served: Served, *arguments: str | Path, **how: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(served),
        capture_output=True,
        check=False,
        timeout=120,
        **how,
    )


def start(served: Served, *arguments: str | Path) -> "subprocess.Popen[bytes]":
    """Start the command."""
    return subprocess.Popen([*COMMAND, *arguments], env=environment(served), stderr=subprocess.PIPE)
