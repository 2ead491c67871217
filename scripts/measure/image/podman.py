"""Podman on this machine."""

import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import CommandError

# Podman's own default, a million, is more than some machines grant. More than any container needs.
MOST = 4096
CGROUPS_2 = Path("/sys/fs/cgroup/cgroup.controllers")


class ImageTestError(CommandError):
    """The image does not build or does not do what it should; the message says what was seen."""


@dataclass(frozen=True)
class Podman:
    """The program, with a configuration that fits this machine."""

    program: str
    environment: dict[str, str]
    limits: tuple[str, ...]
    """The limits of processes, as ``--ulimit`` takes them."""

    @classmethod
    def here(cls, program: str, scratch: Path) -> "Podman":
        """Configure podman by a file in `scratch`, unless CONTAINERS_CONF names another."""
        files, processes = map(_at_most, (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
        limits = (f"nofile={files}:{files}", f"nproc={processes}:{processes}")
        lines = ["[containers]", f"default_ulimits = {list(limits)}".replace("'", '"')]
        if not CGROUPS_2.exists() and shutil.which("runc"):
            # crun takes no hybrid of both versions.
            lines += ["[engine]", 'runtime = "runc"', 'cgroup_manager = "cgroupfs"']
        file = scratch / "containers.conf"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return cls(program, {"CONTAINERS_CONF": str(file), **os.environ}, limits)

    def __call__(self, *arguments: str) -> str:
        """Run a command; return what it prints.

        Raises:
            ImageTestError: it fails.
        """
        done = self._run(arguments)
        if done.returncode != 0:
            reason = done.stderr.strip() or done.stdout.strip()
            raise ImageTestError(f"podman {' '.join(arguments)}: {reason}")
        return done.stdout.strip()

    def succeeds(self, *arguments: str) -> bool:
        """Run a command; return whether it succeeds."""
        return self._run(arguments).returncode == 0

    def show(self, *arguments: str) -> None:
        """Run a command that prints its progress.

        Raises:
            ImageTestError: it fails.
        """
        done = subprocess.run([self.program, *arguments], env=self.environment, check=False)
        if done.returncode != 0:
            raise ImageTestError(f"podman {arguments[0]} failed; its messages are above")

    def logs(self, container: str) -> str:
        """Return the last lines that a container printed."""
        done = self._run(("logs", "--tail", "40", container))
        return f"{done.stdout}{done.stderr}".strip()

    def _run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


def _at_most(limit: int) -> int:
    hard = resource.getrlimit(limit)[1]
    return MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
