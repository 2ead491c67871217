"""One call of TorchServe's Management API, and what its errors mean."""

from http import HTTPStatus
from typing import Any

import requests

from scripts.common.http import local_session
from scripts.torchserve.config import ServerConfig, ServerError

# A registration unpacks the archive and installs its requirements before it responds.
REQUEST_TIMEOUT_S = 120


class AlreadyRegisteredError(ServerError):
    """TorchServe has a version of that name."""


class InvalidTokenError(ServerError):
    """TorchServe knows another token by now."""


def call(
    config: ServerConfig,
    method: str,
    path: str,
    token: str,
    parameters: dict[str, Any] | None = None,
    timeout_s: float = REQUEST_TIMEOUT_S,
) -> requests.Response:
    """Call the Management API of a server; return its response.

    Raises:
        AlreadyRegisteredError, InvalidTokenError: the status and the message say so.
        ServerError: any other error, or there is no response.
    """
    try:
        response = local_session().request(
            method,
            f"{config.management_address}{path}",
            params=parameters,
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_s,
        )
    except requests.RequestException as error:
        raise ServerError(f"the Management API does not respond: {error}") from error
    if not response.ok:
        raise _error_of(response)(f"{method} {path}: {_message(response)}")
    return response


def _error_of(response: requests.Response) -> type[ServerError]:
    if response.status_code == HTTPStatus.CONFLICT:
        return AlreadyRegisteredError
    return InvalidTokenError if "InvalidKeyException" in response.text else ServerError


def _message(response: requests.Response) -> str:
    """Return TorchServe's own words in an error response."""
    try:
        words = response.json()["message"]
    except (ValueError, LookupError, TypeError):
        words = response.text.strip()
    return f"{words} (status {response.status_code})"
