"""Send one picture to a running server and save its cutout as PNG."""

import argparse
import sys
from pathlib import Path

from inference_api import request_cutout
from server_config import ServerConfig, ServerError


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path, help="the picture")
    parser.add_argument("output", type=Path, help="where the cutout goes")
    parser.add_argument("--model", required=True)
    ServerConfig.add_arguments(parser)
    arguments = parser.parse_args()
    try:
        if arguments.output.suffix.lower() != ".png":
            raise ServerError("the cutout is a PNG: let OUTPUT end in .png")
        picture = arguments.image.read_bytes()
        config = ServerConfig.from_arguments(arguments)
        arguments.output.write_bytes(request_cutout(config, arguments.model, picture))
    except (ServerError, OSError) as error:
        sys.exit(f"make cutout: {error}")
    print(arguments.output)


if __name__ == "__main__":
    main()
