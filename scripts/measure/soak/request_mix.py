"""The request mix of the soak: good and bad requests, each with the expected response.

Each request of the mix is sent once, then the mix is shuffled again. So every worker gets every
kind of request, and each pass through the mix is the same work.
"""

import base64
import json
from io import BytesIO

from PIL import Image

from scripts.measure.soak.request import HangUp, SoakRequest, picture_form

# Options that differ in what they cost, in time or in memory.
OPTIONS: tuple[dict[str, str], ...] = (
    {"format": "rgba"},
    {"format": "png"},
    {"format": "webp"},
    {"format": "webp", "quality": "80"},
    {"format": "jpg"},
    {"format": "zip"},
    {"format": "auto", "bg_color": "81d4fa"},
    {"format": "png", "edges": "plain"},
    {"format": "png", "edges": "refined"},
    {"format": "png", "channels": "alpha"},
    {"format": "png", "crop": "true", "crop_margin": "10%"},
    {"format": "png", "size": "preview"},
    {"format": "webp", "scale": "80%", "position": "50% 100%"},
    {"format": "rgba", "roi": "10% 10% 90% 90%"},
)
# Which of them each size takes; together, each option several times.
SHARES = {
    "0.05": slice(0, None, 2),
    "0.3": slice(1, None, 2),
    "0.5": slice(0, None, 2),
    "1": slice(0, None, 3),
    "1.5": slice(1, None, 3),
    "3": slice(2, None, 3),
    "6": slice(1, 9, 7),
    "12": slice(0, 1),
}


def request_mix(pictures: dict[str, bytes]) -> list[SoakRequest]:
    """Return the requests, in a fixed order; names are unique."""
    cutouts = [
        picture_form(f"{size} {_label(options)}", options, picture)
        for size, picture in pictures.items()
        for options in OPTIONS[SHARES[size]]
    ]
    others = _other_channels(pictures)
    return [*cutouts, *others, *_refused(pictures["0.3"]), *_hanging_up(pictures["1.5"])]


def _label(options: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in options.items())


def _base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def _other_channels(pictures: dict[str, bytes]) -> list[SoakRequest]:
    """Send pictures as JSON, as a bare body, as text, and to the address of explanations."""
    content = json.dumps({"image_file_b64": _base64(pictures["1"]), "format": "webp"}).encode()
    stream = "application/octet-stream"
    return [
        SoakRequest("JSON", content, "application/json", accept="application/json"),
        SoakRequest("body", pictures["1.5"], stream, accept="image/png", method="PUT"),
        SoakRequest("base64", _base64(pictures["0.5"]).encode(), "text/plain"),
        SoakRequest("explained", pictures["0.3"], stream, path="explanations"),
        SoakRequest(
            "explained in JSON",
            pictures["3"],
            stream,
            accept="application/json",
            path="explanations",
        ),
    ]


def _plain(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _refused(picture: bytes) -> list[SoakRequest]:
    """Send requests that get an error, from the handler or from TorchServe."""
    stream, json_type = "application/octet-stream", "application/json"
    form_type, nowhere = "multipart/form-data; boundary=x", "0px 0px 2px 2px"
    urlencoded = "application/x-www-form-urlencoded"
    huge = _plain(Image.new("1", (10001, 5200)))
    large = _plain(Image.new("1", (6000, 5000)))
    return [
        SoakRequest("nothing", b"", stream, status=400, code="missing_source"),
        SoakRequest(
            "half a picture", picture[:9999], stream, status=400, code="failed_to_read_image"
        ),
        SoakRequest("a text", b"<html>" * 99, stream, status=415, code="invalid_file_type"),
        SoakRequest("broken JSON", b"{", json_type, status=400, code="invalid_json"),
        SoakRequest("no base64", b'{"data": "?!"}', json_type, status=400, code="invalid_base64"),
        SoakRequest(
            "an address", b'{"image_url": "http://a/b"}', json_type, 400, "url_sources_disabled"
        ),
        SoakRequest("52 megapixels and more", huge, stream, status=413, code="resolution_too_high"),
        SoakRequest("a large response", large, stream, status=413, code="response_too_large"),
        SoakRequest("33 MiB", bytes(33 << 20), stream, status=413, code="file_too_large"),
        SoakRequest(
            "HTML accepted only", picture, stream, 406, "not_acceptable", accept="text/html"
        ),
        SoakRequest("a wrong token", picture, stream, status=400, authorized=False),
        SoakRequest("a form cut off", b"--x\r\nContent-Dis", form_type, 400, "missing_source"),
        SoakRequest("no form", b"\0" * 99, "multipart/form-data", 400, "invalid_form"),
        SoakRequest("a form of bytes", bytes(range(256)), urlencoded, status=500),
        picture_form("no option", {"formt": "png"}, picture, status=400, code="unknown_parameter"),
        picture_form("bmp", {"format": "bmp"}, picture, status=400, code="invalid_format"),
        picture_form(
            "nothing to crop",
            {"crop": "true", "roi": nowhere},
            picture,
            status=422,
            code="unknown_foreground",
        ),
        SoakRequest("no such model", picture, stream, status=404, path="predictions/no/such"),
    ]


def _hanging_up(picture: bytes) -> list[SoakRequest]:
    """Send a picture, and close the connection before the response is complete."""
    return [
        SoakRequest(f"hang up {when.value}", picture, "application/octet-stream", hang_up=when)
        for when in HangUp
    ]
