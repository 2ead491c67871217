"""The client, with the address and token of the server that `make serve` started."""

from collections.abc import Sequence
from pathlib import Path

from scripts.common.errors import CommandError
from scripts.common.options import parse
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.management_api import ManagementApi
from u2net_cutout.cli.arguments import build_parser
from u2net_cutout.cli.files import PIPE
from u2net_cutout.cli.main import main
from u2net_cutout.client.credentials import ApiKey
from u2net_cutout.client.errors import ServerUnusable

PROGRAM = "make cutout"


def cutout(line: Sequence[str]) -> None:
    """Cut out IMAGE, a picture or a folder of them, into OUTPUT.

    Raises:
        CommandError: IMAGE is missing, or OUTPUT is a file that would be replaced.
    """
    arguments = parse(
        "cutout", "Cut pictures out.", line, "port", "build", "model", "image", "output", "options"
    )
    image: Path | None = arguments.image
    if image is None:
        raise CommandError(
            "IMAGE is missing: name a picture or a folder, as in make cutout IMAGE=photo.jpg "
            "OUTPUT=cutout.png"
        )
    if image != PIPE and not image.exists():
        raise CommandError(f"IMAGE={image}: there is no such file or folder")
    config = ServerConfig.of(arguments.port, arguments.build)

    def token() -> str:
        try:
            return ManagementApi(config).token("inference")
        except ServerError as error:
            raise ServerUnusable(str(error)) from error

    several = image.is_dir()
    output = arguments.output or Path("cutouts" if several else "cutout.png")
    server = ["--url", config.inference_address, "--model", arguments.model]
    words = [
        *("p" if several else "i", "--verbose", *server, *arguments.options),
        *("--", str(image), str(output)),
    ]
    if output.is_file() and not build_parser(PROGRAM).parse_args(words).force:
        raise CommandError(
            f"{output} exists: name another OUTPUT, or replace it with OPTIONS=--force"
        )
    main(words, key=ApiKey(token), program=PROGRAM)
