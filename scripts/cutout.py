"""Cut pictures out by the server that `make serve` started: the client, with its token."""

import argparse
from pathlib import Path

from management_api import ManagementApi
from server_config import ServerConfig, ServerError
from u2net_cutout.api_key import ApiKey
from u2net_cutout.client_errors import ServerUnusable
from u2net_cutout.command import main


def run() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path, required=True, help="a picture, or a folder of them")
    parser.add_argument("--output", type=Path, required=True, help="where the cutouts go")
    parser.add_argument("--model", required=True)
    ServerConfig.add_arguments(parser)
    parser.add_argument("options", nargs="*", help="after --, options of u2net-cutout")
    arguments = parser.parse_args()
    config = ServerConfig.from_arguments(arguments)

    def token() -> str:
        try:
            return ManagementApi(config).token("inference")
        except ServerError as error:
            raise ServerUnusable(str(error)) from error

    # OUTPUT is one file, which has always been replaced; a folder is gone on with.
    how = ["p"] if arguments.image.is_dir() else ["i", "--force"]
    server = ["--url", config.inference_address, "--model", arguments.model]
    paths = ["--", str(arguments.image), str(arguments.output)]
    main([*how, *server, *arguments.options, *paths], key=ApiKey(token), program="make cutout")


if __name__ == "__main__":
    run()
