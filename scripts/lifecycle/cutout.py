"""The client, with the address and token of the server that `make serve` started."""

from collections.abc import Sequence

from scripts.common.options import parse
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.management_api import ManagementApi
from u2net_cutout.cli.main import main
from u2net_cutout.client.credentials import ApiKey
from u2net_cutout.client.errors import ServerUnusable


def cutout(line: Sequence[str]) -> None:
    """Cut out IMAGE, a picture or a folder of them, into OUTPUT."""
    arguments = parse(
        "cutout", "Cut pictures out.", line, "port", "build", "model", "image", "output", "options"
    )
    config = ServerConfig.of(arguments.port, arguments.build)

    def token() -> str:
        try:
            return ManagementApi(config).token("inference")
        except ServerError as error:
            raise ServerUnusable(str(error)) from error

    # A file is replaced; a folder keeps the cutouts that it has.
    how = ["p"] if arguments.image.is_dir() else ["i", "--force"]
    server = ["--url", config.inference_address, "--model", arguments.model]
    paths = ["--", str(arguments.image), str(arguments.output)]
    main([*how, *server, *arguments.options, *paths], key=ApiKey(token), program="make cutout")
