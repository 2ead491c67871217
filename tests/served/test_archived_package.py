"""A worker imports the package of its archive, not that of the server's environment."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.archive.build import build_archive
from scripts.archive.record import write_record
from tests.served.conftest import Served

VERSION = "6.0"
MEMBER = "u2net_cutout/contract/errors.py"
TITLE, OTHER_TITLE = "No picture was sent", "No picture came with the request"


def title_of_an_empty_request(served: Served, version: str) -> str:
    response = served.ask(f"u2netp/{version}", data=b"")
    assert response.status_code == 400, response.text
    return str(response.json()["errors"][0]["title"])


@pytest.mark.usefixtures("other_archives")
def test_a_worker_imports_the_package_of_its_archive(
    served: Served, networks: dict[str, Path]
) -> None:
    archive = build_archive("u2netp", VERSION, networks["u2netp"], served.config.store)
    with zipfile.ZipFile(archive) as built:
        members = {name: built.read(name) for name in built.namelist()}
    assert members[MEMBER].count(TITLE.encode()) == 1
    members[MEMBER] = members[MEMBER].replace(TITLE.encode(), OTHER_TITLE.encode())
    with zipfile.ZipFile(archive, "w") as changed:
        for name, content in members.items():
            changed.writestr(name, content)
    write_record(archive)  # so that the next build replaces it
    served.api.register("u2netp", VERSION, 1)
    try:
        titles = [title_of_an_empty_request(served, version) for version in (VERSION, "1.0")]
    finally:
        served.api.unregister("u2netp", VERSION)

    # The server's Python has the package as well.
    found = subprocess.run([sys.executable, "-c", "import u2net_cutout"], cwd="/", check=False)
    assert found.returncode == 0
    assert titles == [OTHER_TITLE, TITLE]
