"""Pin the server's requirements by the SHA-256 of each file, as pip resolves them on this machine.

Such a lock holds for one kind of Python on one kind of machine, because others get other wheels.
"""

import json
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.common.errors import CommandError
from scripts.common.options import OptionParser
from scripts.common.paths import ROOT

MADE_FOR = "# made for: "
# Builds the project itself; pip would fetch it without a pinned SHA-256.
BUILD_BACKEND = "setuptools"

# OpenVINO requires it, and works without it: it sends an event at every import.
TELEMETRY = "openvino-telemetry"

# The requirements of each lock, as arguments of pip.
LOCKS = {
    "requirements.lock": ("--editable", f"{ROOT}[serve]", BUILD_BACKEND),
    "model_requirements.lock": ("--requirement", str(ROOT / "model_requirements.txt")),
}


class LockError(CommandError):
    """A lock can't be written or used; the message says why and what to do."""


def this_platform() -> str:
    """Return what a lock is for, such as ``cp311 linux-x86_64``."""
    return f"cp{sys.version_info.major}{sys.version_info.minor} {sysconfig.get_platform()}"


def write_lock(lock: Path, wanted: Sequence[str], pip_arguments: Sequence[str]) -> None:
    """Let pip resolve what is wanted, and write down the files it would install.

    Raises:
        LockError: pip fails, or would install something that is no wheel.
    """
    command = [
        *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"),
        *("--only-binary=:all:", "--report", "-", "--constraint", str(ROOT / "constraints.txt")),
        *(*pip_arguments, *wanted),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise LockError("pip could not resolve the requirements (its message is above)")
    lock.write_text(lock_of(json.loads(done.stdout)), encoding="utf-8")


def lock_of(report: Mapping[str, Any]) -> str:
    """Return the text of a lock, from pip's installation report.

    Raises:
        LockError: something in it has no SHA-256.
    """
    lines = []
    for item in report["install"]:
        name, version = item["metadata"]["name"].lower(), item["metadata"]["version"]
        name = name.replace("_", "-")
        # The project itself has no file.
        if "dir_info" in item["download_info"] or name == TELEMETRY:
            continue
        digest = item["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
        if digest is None:
            raise LockError(f"pip reports no SHA-256 of {name} {version}; use another index")
        lines.append(f"{name}=={version} --hash=sha256:{digest}\n")
    return f"{MADE_FOR}{this_platform()}, by make lock\n{''.join(sorted(lines))}"


def check_lock(lock: Path) -> None:
    """Make sure that a lock is for this Python on this kind of machine.

    Raises:
        LockError: it is for another.
    """
    try:
        first = lock.read_text(encoding="utf-8").partition("\n")[0]
    except OSError as error:
        raise LockError(f"{lock.name} can't be read: make lock") from error
    made_for = first.removeprefix(MADE_FOR).partition(",")[0]
    if made_for != this_platform():
        raise LockError(
            f"{lock.name} is for {made_for}, but this is {this_platform()}, which needs other "
            "wheels. make lock writes a lock for this platform, from an index that you trust"
        )


def lock(line: Sequence[str]) -> None:
    """Pin the server's environment by SHA-256, for this kind of machine."""
    parser = OptionParser("lock", "Pin the server's environment by SHA-256.").take("pip-args")
    parser.add_argument("--check", action="store_true", help="only check that the locks fit here")
    arguments = parser.parse_args(line)
    for name, wanted in LOCKS.items():
        if arguments.check:
            check_lock(ROOT / name)
        else:
            print(f"resolving {name}; pip may have to download what it looks into", flush=True)
            write_lock(ROOT / name, wanted, arguments.pip_args)
