"""The installed client: the wheel and what it says it needs, in an environment of its own."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import PIP_ARGUMENTS, ROOT
from tests.served.client_runs import COMMAND, environment
from tests.served.conftest import Served

PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


# The tests' environment is without them: the first is tried where it is, the second never imported.
ABSENT = ("pillow-heif", "openvino-telemetry")


def needed(distributions: list[Distribution], extra: str = "") -> dict[str, Distribution]:
    """What distributions need, and what that needs."""
    found: dict[str, Distribution] = {}
    while distributions:
        for text in distributions.pop().requires or ():
            requirement = Requirement(text)
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
            if wanted and requirement.name not in (*found, *ABSENT):
                found[requirement.name] = distribution(requirement.name)
                distributions.append(found[requirement.name])
    return found


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    # From a copy: pip would leave what it builds in build/.
    source = folder / "source"
    no_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "u2net_cutout", source / "u2net_cutout", ignore=no_caches)
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    build = [*PIP, "wheel", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run([*build, *PIP_ARGUMENTS], check=True)
    (built,) = folder.glob("*.whl")
    return built


def install(wheel: Path, folder: Path, extra: str = "") -> Path:
    """Make an environment with the wheel, and with its needs linked into it; return its programs'.

    The links save gigabytes and minutes.
    """
    venv.create(folder, with_pip=False)
    binaries = folder / "bin"
    subprocess.run(
        [*PIP, "--python", str(binaries / "python"), "install", "--no-deps", str(wheel)], check=True
    )
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (own,) = Distribution.discover(name="u2net-cutout", path=[str(packages)])
    theirs = Path(sysconfig.get_path("purelib"))
    for needs in needed([own], extra).values():
        for name in {file.parts[0] for file in needs.files or ()} - {"..", "__pycache__"}:
            # Some packages share a folder of their namespace.
            if not (packages / name).exists():
                (packages / name).symlink_to(theirs / name)
    return binaries


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the client alone."""
    return install(wheel, tmp_path_factory.mktemp("installed") / "venv")


def test_without_its_extra_an_archive_is_not_opened(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(installed / "u2net-cutout"), "i", "--archive", "u2net.mar", "a.jpg", "b.png"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "pip install 'u2net-cutout[local]'" in done.stderr


def test_with_its_extra_it_cuts_out_without_a_server(
    served: Served, wheel: Path, photo_files: list[Path], tmp_path: Path
) -> None:
    programs = install(wheel, tmp_path / "venv", "local")
    archive = served.config.store / "u2netp.mar"

    done = subprocess.run(
        [str(programs / "u2net-cutout"), "i", "--archive", archive, photo_files[1], "cutout.png"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    expected = served.ask(files={"image_file": photo_files[1].read_bytes()}, data={"format": "png"})
    assert (tmp_path / "cutout.png").read_bytes() == expected.content


def test_it_cuts_out(
    served: Served, installed: Path, photo_files: list[Path], tmp_path: Path
) -> None:
    variables = {**environment(served), "PYTHONPATH": ""}
    command = [str(installed / "u2net-cutout"), "i", str(photo_files[1])]
    names = ("plain.png", "composite.webp")
    for name, options in zip(names, ([], ["--composite"]), strict=True):
        done = subprocess.run(
            [*command, name, *options],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    expected = served.ask(files={"image_file": photo_files[1].read_bytes()}, data={"format": "png"})
    assert (tmp_path / "plain.png").read_bytes() == expected.content
    assert (tmp_path / "composite.webp").exists()


def test_the_package_is_its_only_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        tops = {name.partition("/")[0] for name in packed.namelist()}

    assert tops == {"u2net_cutout", f"{'-'.join(wheel.stem.split('-')[:2])}.dist-info"}


@pytest.mark.parametrize("how", ["u2net-cutout", "python"])
def test_modules_in_the_working_folder_are_not_its_own(
    installed: Path, tmp_path: Path, how: str
) -> None:
    """Python looks for modules there first, where it is started without a script."""
    for name in ("composition", "errors", "formats", "limits", "options", "output_format"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    (tmp_path / "a.jpg").touch()
    start = [str(installed / how), *COMMAND[1:]] if how == "python" else [str(installed / how)]
    away = ("--url", "http://127.0.0.1:9", "--tries", "1")

    helped, tried = (
        subprocess.run(
            [*start, *line],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        for line in (("i", "--help"), ("i", *away, "a.jpg", "b.png"))
    )

    assert (helped.returncode, helped.stderr) == (0, "")
    assert tried.returncode == 1
    assert "no connection to http://127.0.0.1:9" in tried.stderr


def test_its_options_are_the_servers(installed: Path) -> None:
    code = (
        "from u2net_cutout.contract.options import OPTIONS;"
        "print([(o.name, o.values) for o in OPTIONS])"
    )
    tables = [
        subprocess.run(
            [python, "-c", code],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for python, folder in ((str(installed / "python"), installed), (sys.executable, ROOT))
    ]

    assert tables[0] == tables[1]


def test_the_servers_packages_are_not_among_its_needs(installed: Path) -> None:
    code = "import u2net_cutout, importlib.util as u; print(u.find_spec('torch'))"

    done = subprocess.run(
        [str(installed / "python"), "-c", code],
        cwd=installed,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "None"
