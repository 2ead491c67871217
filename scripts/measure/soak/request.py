"""A request of the soak, and the answer that is due to it."""

from dataclasses import dataclass
from enum import StrEnum

from urllib3.filepost import encode_multipart_formdata

BOUNDARY = "a-boundary-that-no-photo-contains-4f1d"


class HangUp(StrEnum):
    """When a client leaves."""

    SENDING = "while sending"
    WAITING = "while waiting"
    RECEIVING = "while receiving"


@dataclass(frozen=True)
class Ask:
    """A request, and what is due to it."""

    name: str
    body: bytes
    content_type: str
    status: int = 200
    code: str | None = None
    """Of an error in the contract's form."""
    accept: str | None = None
    path: str = "predictions"
    method: str = "POST"
    authorized: bool = True
    hang_up: HangUp | None = None


def picture_form(name: str, fields: dict[str, str], picture: bytes, **due: object) -> Ask:
    """Build a form with a picture and options; `due` are further fields of the request."""
    part = ("image_file", ("photo", picture, "application/octet-stream"))
    body, content_type = encode_multipart_formdata([*fields.items(), part], BOUNDARY)
    return Ask(name, body, content_type, **due)  # type: ignore[arg-type]
