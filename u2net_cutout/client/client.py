"""Sends pictures to a server and brings their cutouts back, with patience."""

from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from threading import Event
from types import TracebackType

import requests
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_when_event_set,
    wait_exponential,
    wait_random,
)
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from u2net_cutout.client.credentials import ApiKey
from u2net_cutout.client.endpoint import Endpoint
from u2net_cutout.client.errors import (
    KeyRefused,
    Refused,
    ServerAway,
    ServerUnusable,
    TryLater,
    WorkerDied,
)
from u2net_cutout.client.responses import Answer, is_key_refused, read_answer

PICTURE_FIELD, BACKGROUND_FIELD = "image_file", "bg_image_file"
# About a minute in all, in which a worker that died is back and a queue has moved on.
TRIES = 8
# A picture that comes twice as a worker dies is likely to be why; others wait for that worker.
MOST_DEATHS = 2
TIMEOUT_S = 120.0
CONNECT_TIMEOUT_S = 10.0
_backed_off = wait_exponential(multiplier=0.5, max=20) + wait_random(0, 1)


class CutoutClient:
    """A server and the key to it; threads may share one. Close it, or use it as a context."""

    def __init__(
        self,
        endpoint: Endpoint,
        key: ApiKey | None = None,
        *,
        tries: int = TRIES,
        timeout_s: float = TIMEOUT_S,
        connections: int = 10,
    ) -> None:
        self.endpoint = endpoint
        self.stopping = Event()
        """Once set, nothing is asked again and nobody waits."""
        self._key = key
        self._timeout = (CONNECT_TIMEOUT_S, timeout_s)
        self._session = requests.Session()
        self._session.trust_env = not endpoint.is_local
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._session.mount(
            f"{endpoint.url.partition(':')[0]}://",
            requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=connections),
        )
        self._retrying = Retrying(
            retry=retry_if_exception_type(TryLater),
            wait=_patience,
            stop=stop_after_attempt(tries) | stop_when_event_set(self.stopping),
            sleep=sleep_using_event(self.stopping),
            reraise=True,
        )

    def __enter__(self) -> "CutoutClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def cut_out(
        self, picture: bytes, options: Mapping[str, str], background: bytes | None = None
    ) -> Answer:
        """Send a picture, a file of any kind that the server reads, and return its cutout.

        While the server is busy, has lost its worker or can't be reached, it is asked again, later
        each time and not before its ``Retry-After``.

        Raises:
            Refused: the server can't or won't cut this picture out.
            TryLater: it still was busy in the end.
            ServerUnusable: it is not there, or does not take the key.
        """
        files = {PICTURE_FIELD: ("picture", picture)}
        if background is not None:
            files[BACKGROUND_FIELD] = ("background", background)
        deaths = 0

        def ask() -> Answer:
            nonlocal deaths
            try:
                return self._ask(files, options)
            except WorkerDied as error:
                deaths += 1
                if deaths < MOST_DEATHS:
                    raise
                words = f"{error} It did {deaths} times over this picture"
                raise Refused(words, status=requests.codes.server_error) from error

        return self._retrying.copy()(ask)

    def _ask(self, files: Mapping[str, tuple[str, bytes]], options: Mapping[str, str]) -> Answer:
        key = self._key.current() if self._key else None
        response = self._post(files, options, key)
        if is_key_refused(response):
            key = self._key.renewed(key) if self._key and key else None
            if key is not None:
                response = self._post(files, options, key)
            if key is None or is_key_refused(response):
                raise KeyRefused(
                    f"{self.endpoint.url} does not take the key: set U2NET_KEY or "
                    f"U2NET_KEY_COMMAND (status {response.status_code})"
                )
        return read_answer(response)

    def _post(
        self,
        files: Mapping[str, tuple[str, bytes]],
        options: Mapping[str, str],
        key: str | None,
    ) -> requests.Response:
        def carry_key(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers.update(self.endpoint.headers(key))
            return request

        try:
            return self._session.post(
                self.endpoint.url,
                data=options,
                files=files,
                # Not as headers: requests would put a password out of ~/.netrc in their place.
                auth=carry_key,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as error:
            raise ServerUnusable(f"{self.endpoint.url}: {error}") from error
        except requests.ConnectionError as error:
            if _never_reached(error):
                raise ServerAway(f"nothing answers at {self.endpoint.url}: make serve?") from error
            raise TryLater(f"the connection broke: {error}") from error
        except (requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise TryLater(f"the answer did not come: {error}") from error
        except requests.RequestException as error:
            raise ServerUnusable(f"{self.endpoint.url}: {error}") from error


def _never_reached(error: requests.ConnectionError) -> bool:
    """Whether no connection came about, so that it is not about the picture."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def _patience(state: RetryCallState) -> float:
    """Return how many seconds to wait: longer each time, and as the server asks at least."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.after_s if isinstance(error, TryLater) else 0.0
    return max(asked, _backed_off(state))
