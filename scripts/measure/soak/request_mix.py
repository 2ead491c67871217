"""What the soak asks: a deck of requests, good and bad ones, each with the answer that is due.

Every request of a deck is sent once; then the deck is shuffled anew. So every worker meets every
kind of work, and two stretches of decks hold the same work.
"""

import base64
import json
from io import BytesIO

from PIL import Image

from scripts.measure.soak.request import Ask, HangUp, picture_form

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
# Every which of them each size takes, and which one first; all together every option several times.
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


def deck(pictures: dict[str, bytes]) -> list[Ask]:
    """Return every request, in a fixed order; names are unique."""
    asks = [
        picture_form(f"{size} {_label(options)}", options, picture)
        for size, picture in pictures.items()
        for options in OPTIONS[SHARES[size]]
    ]
    asks += _other_channels(pictures)
    return [*asks, *_refused(pictures["0.3"]), *_left(pictures["1.5"])]


def _label(options: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in options.items())


def _base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def _other_channels(pictures: dict[str, bytes]) -> list[Ask]:
    """Send pictures as JSON, as a bare body, as text, and have one explained."""
    content = json.dumps({"image_file_b64": _base64(pictures["1"]), "format": "webp"}).encode()
    stream = "application/octet-stream"
    return [
        Ask("JSON", content, "application/json", accept="application/json"),
        Ask("body", pictures["1.5"], stream, accept="image/png", method="PUT"),
        Ask("base64", _base64(pictures["0.5"]).encode(), "text/plain"),
        Ask("explained", pictures["0.3"], stream, path="explanations"),
        Ask(
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


def _refused(picture: bytes) -> list[Ask]:
    """Send what gets an error, by the handler or by TorchServe."""
    stream, json_type = "application/octet-stream", "application/json"
    form_type, nowhere = "multipart/form-data; boundary=x", "0px 0px 2px 2px"
    urlencoded = "application/x-www-form-urlencoded"
    huge = _plain(Image.new("1", (10001, 5000)))
    large_answer = _plain(Image.new("1", (6000, 5000)))
    return [
        Ask("nothing", b"", stream, status=400, code="missing_source"),
        Ask("half a picture", picture[:9999], stream, status=400, code="failed_to_read_image"),
        Ask("a text", b"<html>" * 99, stream, status=415, code="invalid_file_type"),
        Ask("broken JSON", b"{", json_type, status=400, code="invalid_json"),
        Ask("no base64", b'{"data": "?!"}', json_type, status=400, code="invalid_base64"),
        Ask("an address", b'{"image_url": "http://a/b"}', json_type, 400, "url_sources_disabled"),
        Ask("50 megapixels and more", huge, stream, status=413, code="resolution_too_high"),
        Ask("a large answer", large_answer, stream, status=413, code="response_too_large"),
        Ask("33 MiB", bytes(33 << 20), stream, status=413, code="file_too_large"),
        Ask("HTML, please", picture, stream, 406, "not_acceptable", accept="text/html"),
        Ask("a stranger", picture, stream, status=400, authorized=False),
        Ask("a form cut off", b"--x\r\nContent-Dis", form_type, 400, "missing_source"),
        Ask("no form", b"\0" * 99, "multipart/form-data", 415, "invalid_file_type"),
        Ask("a form of bytes", bytes(range(256)), urlencoded, status=500),
        picture_form("no option", {"formt": "png"}, picture, status=400, code="unknown_parameter"),
        picture_form("bmp", {"format": "bmp"}, picture, status=400, code="invalid_format"),
        picture_form(
            "nothing to crop",
            {"crop": "true", "roi": nowhere},
            picture,
            status=422,
            code="unknown_foreground",
        ),
        Ask("no such model", picture, stream, status=404, path="predictions/no/such"),
    ]


def _left(picture: bytes) -> list[Ask]:
    """Send, and do not stay for the whole answer."""
    return [
        Ask(f"left {when.value}", picture, "application/octet-stream", hang_up=when)
        for when in HangUp
    ]
