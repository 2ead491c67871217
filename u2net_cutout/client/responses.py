"""What a server's answer means: a cutout, a refusal, or that one should ask again."""

import math
from dataclasses import dataclass

import requests
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from u2net_cutout.client.errors import Refused, ServerUnusable, TryLater, WorkerDied

# Too many requests; a proxy's server is gone or late; no worker or a full queue; out of memory.
LATER = frozenset({429, 502, 503, 504, 507})
# TorchServe's words for 500 when a worker died over this request, or over another one.
WORKER_DIED = "Worker died"
INVALID_KEY = "InvalidKeyException"
# A server that wants to be left alone for longer has no use for one who waits.
LONGEST_WAIT_S = 300.0


@dataclass(frozen=True)
class Answer:
    """A cutout as it came."""

    content: bytes
    content_type: str


def read_answer(response: requests.Response) -> Answer:
    """Return the cutout.

    Raises:
        TryLater: the server is busy.
        WorkerDied: its worker did.
        ServerUnusable: the address is wrong.
        Refused: anything else.
    """
    status = response.status_code
    if status == requests.codes.ok:
        return Answer(response.content, response.headers.get("Content-Type", ""))
    code, words = _said(response)
    told = f"{code}: {words}" if code else f"status {status}: {words}"
    if status == requests.codes.server_error and WORKER_DIED in words:
        raise WorkerDied(told, _retry_after(response))
    if status in LATER:
        after = _retry_after(response)
        if after > LONGEST_WAIT_S:
            raise ServerUnusable(f"{told}; the server wants to be left alone for {after:.0f} s")
        raise TryLater(told, after)
    if status in (404, 405) or 300 <= status < 400:
        raise ServerUnusable(f"{told}: is {response.url} its address, and the model's name right?")
    raise Refused(told, status=status, code=code)


def is_key_refused(response: requests.Response) -> bool:
    """Whether it is the key that is refused; for TorchServe that is status 400, too."""
    if response.status_code == requests.codes.bad_request:
        return INVALID_KEY in response.text
    return response.status_code in (401, 403)


def _said(response: requests.Response) -> tuple[str | None, str]:
    """Return the code, if there is one, and the words of an error."""
    try:
        body = response.json()
    except ValueError:
        return None, response.text.strip()[:200] or response.reason or "no reason given"
    try:
        error = body["errors"][0]
        return error.get("code"), str(error.get("detail") or error.get("title"))
    except (AttributeError, LookupError, TypeError):
        message = body.get("message") if isinstance(body, dict) else None
        return None, str(message or body)[:200]


def _retry_after(response: requests.Response) -> float:
    """Return the seconds of ``Retry-After``, which may also be a date; 0 without one."""
    try:
        seconds = Retry().get_retry_after(response.raw)
    except InvalidHeader:
        return 0.0
    return seconds if seconds is not None and math.isfinite(seconds) else 0.0
