"""A LitServe server around the same network, as a user of LitServe writes one.

Runs in the peers' environment; LitServe starts as many of these as there are workers.
"""

import argparse
from io import BytesIO
from typing import Any

import litserve
from fastapi import Request, Response
from PIL import Image
from rembg import new_session, remove


class CutoutApi(litserve.LitAPI):
    """Photos to cutouts in PNG, by rembg's library and its fastest runtime."""

    def setup(self, device: str) -> None:
        """Load the network, once a worker."""
        self.session = new_session("u2net")

    def decode_request(self, request: Request) -> Image.Image:
        """Open the photo of a form; by now LitServe has parsed the request into its fields."""
        fields: Any = request
        return Image.open(fields["file"].file)

    def predict(self, photo: Image.Image) -> Image.Image:
        """Cut out the foreground."""
        cutout: Image.Image = remove(photo, session=self.session)
        return cutout

    def encode_response(self, cutout: Image.Image) -> Response:
        """Write PNG with Pillow's own settings, as rembg does."""
        png = BytesIO()
        cutout.save(png, "PNG")
        return Response(png.getvalue(), media_type="image/png")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("workers", type=int)
    arguments = parser.parse_args()
    server = litserve.LitServer(
        CutoutApi(api_path="/predict"),
        accelerator="cpu",
        workers_per_device=arguments.workers,
        timeout=False,
    )
    server.run(host="127.0.0.1", port=arguments.port, num_api_servers=1, generate_client_file=False)


if __name__ == "__main__":
    main()
