"""Clients that were made for remove.bg, unchanged but for the address that they have built in."""

import base64
import json
import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
import requests
from PIL import Image
from removebg import removebg

from tests.served.conftest import Gate

PREVIEW_PIXELS = 250_000
NODE_SCRIPT = Path(__file__).with_name("removebg_client.mjs")


@pytest.fixture
def photo(photo_files: list[Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(photo_files[0], tmp_path / "photo.png"))


@pytest.fixture
def python_client(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> removebg.RemoveBg:
    monkeypatch.setattr(removebg, "API_ENDPOINT", f"{gate.url}/v1.0/removebg")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return removebg.RemoveBg(gate.key(), str(tmp_path / "errors.log"))


def test_the_python_client_sends_a_file(python_client: removebg.RemoveBg, photo: Path) -> None:
    python_client.remove_background_from_img_file(str(photo))

    with Image.open(f"{photo}_no_bg.png") as cutout:
        assert (cutout.format, cutout.mode) == ("PNG", "RGBA")
        assert cutout.width * cutout.height <= PREVIEW_PIXELS


def test_the_python_client_sends_base64_and_asks_for_a_background(
    python_client: removebg.RemoveBg, photo: Path
) -> None:
    output = photo.with_name("cutout")

    python_client.remove_background_from_base64_img(
        base64.b64encode(photo.read_bytes()), size="hd", new_file_name=str(output), bg_color="white"
    )

    with Image.open(output) as cutout, Image.open(photo) as sent:
        assert (cutout.format, cutout.size) == ("JPEG", sent.size)


def test_the_python_client_is_told_that_addresses_are_not_fetched(
    python_client: removebg.RemoveBg,
) -> None:
    with pytest.raises(requests.HTTPError, match="400") as caught:
        python_client.remove_background_from_img_url("http://example.com/photo.jpg")

    assert caught.value.response.json()["errors"][0]["code"] == "url_sources_disabled"


@pytest.fixture(scope="module")
def node_folder(gate: Gate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the npm client, pointed at the gateway."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not here")
    folder = tmp_path_factory.mktemp("node")
    install = [npm, "install", "--silent", "--no-audit", "--no-fund", "remove.bg@1.3.0"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm can't fetch remove.bg: {done.stderr.strip()}")
    source = folder / "node_modules" / "remove.bg" / "dist" / "index.js"
    text = source.read_text(encoding="utf-8")
    assert "https://api.remove.bg/" in text
    source.write_text(text.replace("https://api.remove.bg", gate.url), encoding="utf-8")
    return folder


def test_the_npm_client(gate: Gate, node_folder: Path, photo: Path) -> None:
    output = photo.with_name("cutout.png")
    command = ["node", str(NODE_SCRIPT), gate.key(), str(photo), str(output)]

    done = subprocess.run(command, cwd=node_folder, capture_output=True, text=True, check=True)
    file, text, address, stranger = json.loads(done.stdout)

    with Image.open(output) as cutout:
        assert cutout.width * cutout.height <= PREVIEW_PIXELS
        size = [str(cutout.width), str(cutout.height)]
    assert [file["result"]["resultWidth"], file["result"]["resultHeight"]] == size
    assert (file["result"]["creditsCharged"], file["result"]["detectedType"]) == ("0", "other")
    assert file["result"]["rateLimit"] == "500"
    full = BytesIO(base64.b64decode(text["result"]["base64img"]))
    with Image.open(full) as cutout, Image.open(photo) as sent:
        assert (cutout.format, cutout.size) == ("PNG", sent.size)
    assert address["errors"][0]["code"] == "url_sources_disabled"
    assert stranger["errors"][0]["code"] == "auth_failed"


def test_the_command_lines_request(gate: Gate, photo: Path) -> None:
    """As remove.bg's CLI sends it: size and format by its own defaults, no Accept."""
    fields = {"size": "auto", "format": "png", "type": "auto", "channels": "rgba"}
    output = photo.with_name("cutout.png")
    command = ["curl", "--noproxy", "*", "-sf", "-H", "Accept:", "-H", f"X-Api-Key: {gate.key()}"]
    command += ["-F", f"image_file=@{photo}"]
    for name, value in fields.items():
        command += ["-F", f"{name}={value}"]

    subprocess.run([*command, "-o", str(output), f"{gate.url}/v1.0/removebg"], check=True)

    with Image.open(output) as cutout, Image.open(photo) as sent:
        assert (cutout.format, cutout.mode, cutout.size) == ("PNG", "RGBA", sent.size)
