"""Requests in every spelling that clients use: the cutout, or an error that says what is wrong."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.torchserve.binding import HOST
from tests.served.conftest import Served
from tests.served.spellings.message import Sent
from tests.served.spellings.refused import refused, unparsed
from tests.served.spellings.sound import sound

# Names alone, so that tests are collected without a photo.
SOUND, REFUSED, UNPARSED = sorted(sound(b"x")), sorted(refused(b"x")), sorted(unparsed(b"x"))
PATH = "/predictions/u2netp"


@pytest.fixture(scope="module")
def photo_file(photo_files: list[Path]) -> Path:
    """A photo of 451 x 300 pixels."""
    return photo_files[1]


@pytest.fixture(scope="module")
def photo(photo_file: Path) -> bytes:
    return photo_file.read_bytes()


@pytest.fixture(scope="module")
def cutout(served: Served, photo: bytes) -> bytes:
    """What the plainest request gets."""
    response = served.ask(data=photo, headers={"Content-Type": "image/png"})
    assert response.status_code == 200
    return response.content


@pytest.fixture(autouse=True)
def no_worker_dies(served: Served) -> object:
    before = served.worker_pids()
    yield
    assert served.worker_pids() == before


def bearer(served: Served) -> str:
    return f"Authorization: Bearer {served.api.token('inference')}"


def ask(served: Served, sent: Sent) -> tuple[int, bytes]:
    status, _, body = sent.to(HOST, served.config.port, PATH, bearer(served))
    return status, body


@pytest.mark.parametrize("name", SOUND)
def test_every_spelling_of_a_request_gets_the_same_cutout(
    served: Served, photo: bytes, cutout: bytes, name: str
) -> None:
    status, body = ask(served, sound(photo)[name])

    assert status == 200, body[:500]
    assert body == cutout


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_understood_is_refused_by_name(
    served: Served, photo: bytes, name: str
) -> None:
    sent, expected, reason = refused(photo)[name]

    status, body = ask(served, sent)

    (error,) = json.loads(body)["errors"]
    assert (status, error["code"]) == expected
    assert reason in error["detail"]


@pytest.mark.parametrize("name", UNPARSED)
def test_over_other_forms_torchserves_own_parser_fails(
    served: Served, photo: bytes, name: str
) -> None:
    """Why the gateway makes another error of it."""
    status, body = ask(served, unparsed(photo)[name])

    assert status == (403 if name == "a charset of no name" else 500)
    assert json.loads(body)["code"] == status


JAVA = """
import java.net.*;
import java.nio.file.*;
class Send {
    public static void main(String[] arguments) throws Exception {
        HttpURLConnection connection = (HttpURLConnection) new URL(arguments[0]).openConnection();
        connection.setDoOutput(true);
        connection.setRequestProperty("Authorization", arguments[1]);
        connection.setRequestProperty("Content-Type", "image/png");
        connection.getOutputStream().write(Files.readAllBytes(Paths.get(arguments[2])));
        connection.getInputStream().transferTo(System.out);
    }
}
"""
NODE = """
const [url, token, file] = process.argv.slice(1);
const form = new FormData();
form.append('image_file', new Blob([require('fs').readFileSync(file)]), 'a.png');
fetch(url, {method: 'POST', headers: {Authorization: token}, body: form})
    .then(response => response.arrayBuffer())
    .then(body => process.stdout.write(Buffer.from(body)));
"""
PYTHON = """
import sys, urllib.request
url, token, file = sys.argv[1:]
request = urllib.request.Request(url, open(file, "rb").read(), {"Authorization": token})
request.add_header("Content-Type", "image/png")
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
sys.stdout.buffer.write(opener.open(request).read())
"""


def command(client: str, url: str, token: str, file: Path, folder: Path) -> list[str | Path]:
    """Return the command that sends a photo by a client, which adds its own ``Accept``."""
    header = f"Authorization: {token}"
    if client == "curl":
        return ["curl", "-s", "--noproxy", "*", "-H", header, "-F", f"image_file=@{file}", url]
    if client == "wget":
        post = ["--header=Content-Type: image/png", f"--post-file={file}", url]
        return ["wget", "-q", "--no-proxy", "-O", "-", f"--header={header}", *post]
    if client == "node":
        return ["node", "-e", NODE, url, token, file]
    if client == "python":
        return [sys.executable, "-c", PYTHON, url, token, file]
    source = folder / "Send.java"
    source.write_text(JAVA)
    return ["java", source, url, token, file]


@pytest.mark.parametrize("client", ["curl", "wget", "node", "python", "java"])
def test_a_client_that_asks_for_no_format_gets_the_default(
    served: Served, photo_file: Path, cutout: bytes, tmp_path: Path, client: str
) -> None:
    # A java without a compiler runs no source.
    if not shutil.which("javac" if client == "java" else client) and client != "python":
        pytest.skip(f"needs {client}")
    token = bearer(served).partition(" ")[2]
    url = f"{served.config.inference_address}{PATH}"

    asked = command(client, url, token, photo_file, tmp_path)
    done = subprocess.run(asked, capture_output=True, check=True, timeout=60)

    assert done.stdout == cutout
