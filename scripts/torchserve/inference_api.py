"""TorchServe's Inference API, as the commands here use it."""

import requests

from scripts.common.http import local_session
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.management_api import ManagementApi

TIMEOUT_S = 120


def request_cutout(
    config: ServerConfig, model: str, picture: bytes, *, version: str | None = None
) -> bytes:
    """Return the cutout of a picture as PNG.

    Raises:
        ServerError: the server is not there, or refuses the picture.
    """
    path = f"/predictions/{model}/{version}" if version else f"/predictions/{model}"
    token = ManagementApi(config).token("inference")
    try:
        response = local_session().post(
            f"{config.inference_address}{path}",
            data=picture,
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/octet-stream",
                "Accept": "image/png",
            },
            timeout=TIMEOUT_S,
        )
    except requests.RequestException as error:
        raise ServerError(f"the server does not respond: {error}") from error
    if not response.ok:
        raise ServerError(f"status {response.status_code}: {response.text.strip()}")
    return response.content
