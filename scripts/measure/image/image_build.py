"""Builds the image from ``deploy/Containerfile``, as this machine's podman and pip can."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from scripts.common.paths import ROOT
from scripts.measure.image.podman import ImageTestError, Podman

CONTAINERFILE = ROOT / "deploy" / "Containerfile"
# What the build installs into the base image comes from the package indexes.
PACKAGES = ("python3", "python3-venv", "ca-certificates")


def base_name(containerfile: str) -> str:
    """Return the name of the base image of a Containerfile, its default argument filled in."""
    (default,) = re.findall(r"^ARG PYTHON=(\S+)$", containerfile, re.MULTILINE)
    (name,) = set(re.findall(r"^FROM (\S+)", containerfile, re.MULTILINE))
    return str(name).replace("${PYTHON}", default)


def make_base(podman: Podman, scratch: Path) -> str | None:
    """Make sure that the base image is here; return its id if it was made from Debian's packages.

    Raises:
        ImageTestError: it can neither be pulled nor made.
    """
    name = base_name(CONTAINERFILE.read_text(encoding="utf-8"))
    if podman.succeeds("image", "exists", name):
        print(f"base image {name}: here already", flush=True)
        return None
    print(f"base image {name}: pulling", flush=True)
    if podman.succeeds("pull", name):
        return None
    if (program := shutil.which("mmdebstrap")) is None:
        raise ImageTestError(
            f"{name} can't be pulled: podman load it, or apt-get install mmdebstrap to make it "
            "from Debian's packages"
        )
    print(f"base image {name}: can't be pulled, made from Debian's packages", flush=True)
    archive, suite = scratch / "base.tar", name.rpartition("-")[2]
    command = [program, "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    done = subprocess.run([*command, suite, str(archive)], check=False)
    if done.returncode != 0:
        raise ImageTestError("mmdebstrap failed; its messages are above")
    image = podman("import", "--quiet", str(archive), name)
    archive.unlink()
    return image


def build_image(podman: Podman, scratch: Path, model: str, pip_arguments: Sequence[str]) -> str:
    """Build the image of a model; return its id.

    Raises:
        ImageTestError: it does not build.
    """
    image_id = scratch / "image-id"
    podman.show(
        "build",
        # Works also where containers can't be nested.
        *("--isolation", "chroot", "--network", "host", "--layers=false"),
        *(word for limit in podman.limits for word in ("--ulimit", limit)),
        *_pip_volumes(scratch),
        *("--build-arg", f"MODEL={model}"),
        *("--build-arg", f"PIP_ARGS={' '.join(pip_arguments)}"),
        *("--iidfile", str(image_id), "--file", str(CONTAINERFILE), str(ROOT)),
    )
    return image_id.read_text(encoding="utf-8")


def pip_settings(listed: str) -> dict[str, str]:
    """Return pip's settings from what ``pip config list`` prints; the environment's come first."""
    pairs = [line.partition("=") for line in listed.splitlines() if "=" in line]
    # Those of the environment replace those of files, and are listed first.
    pairs.sort(key=lambda pair: pair[0].startswith(":env:"))
    return {name.rpartition(".")[2]: ast.literal_eval(value) for name, _, value in pairs}


def named_paths(settings: Mapping[str, str]) -> set[Path]:
    """Return the existing files and folders that pip's settings name."""
    found = set()
    for word in " ".join(settings.values()).split():
        url = urlsplit(word)
        # The pages of an index name files beside its folder.
        path = Path(url.path).parent if url.scheme == "file" else Path(word)
        if url.scheme in ("", "file") and path.is_absolute() and path.exists():
            found.add(path)
    return found


def _pip_volumes(scratch: Path) -> list[str]:
    """Return arguments that give the build this machine's settings of pip: its mirror, its CA."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    settings = pip_settings(listed)
    file = scratch / "pip.conf"
    lines = [f"{name} = {value}" for name, value in settings.items()]
    file.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
    volumes = [f"{file}:/etc/pip.conf:ro"]
    volumes += [f"{path}:{path}:ro" for path in sorted(named_paths(settings))]
    return [word for volume in volumes for word in ("--volume", volume)]
