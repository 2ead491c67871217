"""Send one picture to a running server and save its cutout as PNG."""

import argparse
import sys
from pathlib import Path

import requests

from management_api import ManagementApi
from server_config import ServerConfig, ServerError, local_session

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
        raise ServerError(f"the server does not answer: {error}") from error
    if not response.ok:
        raise ServerError(f"status {response.status_code}: {response.text.strip()}")
    return response.content


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path, help="the picture")
    parser.add_argument("output", type=Path, help="where the cutout goes")
    parser.add_argument("--model", required=True)
    ServerConfig.add_arguments(parser)
    arguments = parser.parse_args()
    try:
        picture = arguments.image.read_bytes()
        config = ServerConfig.from_arguments(arguments)
        arguments.output.write_bytes(request_cutout(config, arguments.model, picture))
    except (ServerError, OSError) as error:
        sys.exit(f"make cutout: {error}")
    print(arguments.output)


if __name__ == "__main__":
    main()
