"""A request of the soak, and the response that it must get."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from scripts.measure.kit.forms import encode_form


class HangUp(StrEnum):
    """When a client closes the connection."""

    SENDING = "while sending"
    WAITING = "while waiting"
    RECEIVING = "while receiving"


@dataclass(frozen=True)
class SoakRequest:
    """A request, and the expected response."""

    name: str
    body: bytes
    content_type: str
    status: int = 200
    code: str | None = None
    """Of the error, where the response is one in the contract's form."""
    accept: str | None = None
    path: str = "predictions"
    method: str = "POST"
    authorized: bool = True
    hang_up: HangUp | None = None


def picture_form(
    name: str,
    options: Mapping[str, str],
    picture: bytes,
    status: int = 200,
    code: str | None = None,
) -> SoakRequest:
    """Build a request with a form of a picture and options."""
    return SoakRequest(name, *encode_form(options, picture), status, code)
