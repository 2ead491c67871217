from email import message_from_bytes
from email.message import Message
from pathlib import Path

from scripts.measure.kit.request import Request


def parsed(request: Request) -> list[Message]:
    head = f"Content-Type: {request.content_type}\r\n\r\n".encode()
    message = message_from_bytes(head + request.body.read_bytes())
    return [part for part in message.walk() if not part.is_multipart()]


def test_a_form_holds_the_options_and_the_photo(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"\xff\xd8 not really")

    request = Request.of_form(
        tmp_path / "forms", "http://x", {"edges": "plain"}, photo, field="file", token="t0k"
    )

    option, picture = parsed(request)
    assert request.headers == {"Authorization": "Bearer t0k"}
    assert option.get_param("name", header="Content-Disposition") == "edges"
    assert option.get_payload(decode=True) == b"plain"
    assert picture.get_param("name", header="Content-Disposition") == "file"
    assert picture.get_payload(decode=True) == b"\xff\xd8 not really"


def test_the_same_form_is_one_file(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"x")
    forms = tmp_path / "forms"

    bodies = {
        Request.of_form(forms, "http://x", {"format": format}, photo).body
        for format in ("png", "png", "webp")
    }

    assert bodies == set(forms.iterdir())
    assert len(bodies) == 2
