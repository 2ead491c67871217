"""Sends pictures to a server and returns their cutouts; tries again while the server is busy."""

from collections.abc import Callable, Mapping
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
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    NewConnectionError,
)

from u2net_cutout.client.credentials import ApiKey
from u2net_cutout.client.deadline import Deadline, DeadlineAdapter
from u2net_cutout.client.endpoint import Endpoint
from u2net_cutout.client.errors import (
    BadResponse,
    ClientError,
    KeyRefused,
    Refused,
    ServerAway,
    ServerUnusable,
    TryLater,
    WorkerDied,
)
from u2net_cutout.client.responses import LONGEST_TEXT, Cutout, Response
from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.contract.formats import OutputFormat
from u2net_cutout.contract.options import read_options

PICTURE_FIELD, BACKGROUND_FIELD = "image_file", "bg_image_file"
# About a minute of pauses, in which a worker that died is replaced and a queue moves on.
TRIES = 8
# A picture over which two workers died is the likely cause; others wait for the next worker.
MOST_DEATHS = 2
# For one request, from the connection to the last byte of the response.
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
        on_retry: Callable[[ClientError, float], None] | None = None,
    ) -> None:
        """`on_retry` is called before each pause, with the failure and the seconds to wait."""
        self.endpoint = endpoint
        self.stopping = Event()
        """Once set, no request is tried again, and none waits to be."""
        self.input_size: int | None = None
        """Side of the square that the server's network sees, in pixels, by its last response."""
        self._key = key
        self._timeout_s = timeout_s
        self._session = _Session()
        self._session.trust_env = not endpoint.is_local
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._session.mount(
            f"{endpoint.url.partition(':')[0]}://",
            DeadlineAdapter(pool_connections=1, pool_maxsize=connections),
        )
        self._retrying = Retrying(
            retry=retry_if_exception_type(TryLater),
            wait=_pause,
            stop=stop_after_attempt(tries) | stop_when_event_set(self.stopping),
            sleep=sleep_using_event(self.stopping),
            before_sleep=_report_to(on_retry) if on_retry else None,
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
    ) -> Cutout:
        """Send a picture, a file of any kind that the server reads, and return its cutout.

        While the server is busy, has lost its worker or can't be reached, the request is tried
        again, after a longer pause each time and not before its ``Retry-After``.

        Raises:
            Refused: the server can't or won't cut this picture out.
            BadResponse: what it sent is no whole file of the format that `options` ask for.
            TryLater: it still was busy at the last try.
            ServerUnusable: it is not there, or does not take the key.
        """
        files = {PICTURE_FIELD: ("picture", picture)}
        if background is not None:
            files[BACKGROUND_FIELD] = ("background", background)
        expected = _format_of(options)
        deaths = 0

        def request() -> Cutout:
            nonlocal deaths
            try:
                return self._request(files, options).cutout(expected)
            except WorkerDied as error:
                deaths += 1
                if deaths < MOST_DEATHS:
                    raise
                words = f"{error} It did {deaths} times over this picture"
                raise Refused(words, status=requests.codes.server_error) from error

        cutout: Cutout = self._retrying.copy()(request)
        self.input_size = cutout.input_size
        return cutout

    def _request(
        self, files: Mapping[str, tuple[str, bytes]], options: Mapping[str, str]
    ) -> Response:
        key = self._key.current() if self._key else None
        response = self._post(files, options, key)
        if response.is_key_refused:
            key = self._key.renewed(key) if self._key and key else None
            if key is not None:
                response = self._post(files, options, key)
            if key is None or response.is_key_refused:
                raise KeyRefused(
                    f"{self.endpoint.url} does not take the key: set U2NET_KEY or "
                    f"U2NET_KEY_COMMAND (status {response.status})"
                )
        return response

    def _post(
        self,
        files: Mapping[str, tuple[str, bytes]],
        options: Mapping[str, str],
        key: str | None,
    ) -> Response:
        def carry_key(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers.update(self.endpoint.headers(key))
            return request

        url = self.endpoint.url
        try:
            with (
                Deadline(self._timeout_s),
                self._session.post(
                    url,
                    data=options,
                    files=files,
                    # Not as headers: requests would put a password out of ~/.netrc in their place.
                    auth=carry_key,
                    timeout=(min(CONNECT_TIMEOUT_S, self._timeout_s), None),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                return Response.read(response)
        except TimeoutError as error:
            raise TryLater(str(error)) from error
        except requests.exceptions.SSLError as error:
            raise ServerUnusable(f"{url}: {_brief(error)}") from error
        except requests.ConnectionError as error:
            if _never_reached(error):
                raise ServerAway(
                    f"no connection to {url}: check the address, or start the server (make serve)"
                ) from error
            raise TryLater(f"the connection broke: {_brief(error)}") from error
        except requests.Timeout as error:
            raise TryLater(f"no response came: {_brief(error)}") from error
        except requests.RequestException as error:
            raise ServerUnusable(f"{url}: {_brief(error)}") from error
        except (DecodeError, ValueError) as error:
            raise BadResponse(f"the response from {url} is broken: {_brief(error)}") from error
        except (HTTPError, OSError) as error:
            raise TryLater(f"the response broke off: {_brief(error)}") from error


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow no redirect: requests would read its whole body and fail over odd addresses."""


def _format_of(options: Mapping[str, str]) -> OutputFormat | None:
    """Return the format that options ask for; None if they name none, or one that is none."""
    try:
        return read_options(options).format
    except CutoutError:  # which the server will refuse
        return None


def _brief(error: Exception) -> str:
    """Return an error's text, which may quote a server's bytes, cut to a line or two."""
    return str(error)[:LONGEST_TEXT]


def _never_reached(error: requests.ConnectionError) -> bool:
    """Whether no connection came about, so that it is not about the picture."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def _report_to(listener: Callable[[ClientError, float], None]) -> Callable[[RetryCallState], None]:
    def report(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ClientError) and state.next_action:
            listener(error, state.next_action.sleep)

    return report


def _pause(state: RetryCallState) -> float:
    """Return the seconds before the next try: more each time, and at least what the server asks."""
    error = state.outcome.exception() if state.outcome else None
    wanted = error.after_s if isinstance(error, TryLater) else 0.0
    return max(wanted, _backed_off(state))
