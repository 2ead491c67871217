"""The server and its key, from arguments or the environment."""

import os
from collections.abc import Callable

from u2net_cutout.client.client import TIMEOUT_S, TRIES, CutoutClient
from u2net_cutout.client.credentials import ApiKey, key_from_command
from u2net_cutout.client.endpoint import DEFAULT_URL, Api, Endpoint
from u2net_cutout.client.errors import ClientError, UsageError

URL, MODEL, API = "U2NET_URL", "U2NET_MODEL", "U2NET_API"
KEY, KEY_COMMAND = "U2NET_KEY", "U2NET_KEY_COMMAND"


def connect(
    url: str | None = None,
    *,
    key: str | ApiKey | None = None,
    key_command: str | None = None,
    model: str | None = None,
    api: str | None = None,
    tries: int = TRIES,
    timeout_s: float = TIMEOUT_S,
    connections: int = 10,
    on_retry: Callable[[ClientError, float], None] | None = None,
) -> CutoutClient:
    """Return a client of the server that the arguments name, or else the environment.

    Nothing is sent yet. `key_command` is run when a key is needed, and again when the server
    refuses it. `timeout_s` is for one request, `tries` the number of requests for one picture.
    `on_retry` is called before each pause between them, with the failure and the seconds to wait.

    Raises:
        UsageError: the address or the form of the API is not valid.
    """
    endpoint = Endpoint.of(
        url or os.environ.get(URL) or DEFAULT_URL,
        model or os.environ.get(MODEL),
        _api(api or os.environ.get(API)),
    )
    return CutoutClient(
        endpoint,
        _api_key(key, key_command),
        tries=tries,
        timeout_s=timeout_s,
        connections=connections,
        on_retry=on_retry,
    )


def _api(name: str | None) -> Api | None:
    try:
        return Api(name) if name else None
    except ValueError as error:
        known = " or ".join(api.value for api in Api)
        raise UsageError(f"the form of the server's API must be {known}, not {name!r}") from error


def _api_key(key: str | ApiKey | None, command: str | None) -> ApiKey | None:
    """Prefer an argument to the environment, and a key to a command there."""
    if not key and not command:
        key, command = os.environ.get(KEY), os.environ.get(KEY_COMMAND)
    if isinstance(key, ApiKey):
        return key
    if key:
        fixed = key
        return ApiKey(lambda: fixed)
    return ApiKey(key_from_command(command)) if command else None
