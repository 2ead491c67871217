"""A folder of photos to a folder of cutouts, without TorchServe: the same modules, the same bytes.

    .venv/bin/python -m docs.examples.cutout_without_torchserve NETWORK IN OUT

NETWORK is what an archive holds; `make archive` leaves it in build/networks/.
"""

import argparse
import sys
from pathlib import Path

import torch

from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.compositing import flatten
from u2net_cutout.imaging.decoding import register_heif
from u2net_cutout.network.inputs import choose_input
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.runtime import choose_device, load_runtime
from u2net_cutout.pipeline.photo import load_photo
from u2net_cutout.pipeline.rendering import render
from u2net_cutout.pipeline.response import Answer, Figures, picture_answer

# What handler/model-config.yaml sets.
LIMITS = Limits(max_file_bytes=32 << 20, max_pixels=50_000_000, max_response_bytes=100 << 20)


class Cutter:
    """The network of a folder, loaded once, and the steps around it."""

    def __init__(self, network: Path, threads: int, gpu: int | None = None) -> None:
        torch.set_num_threads(threads)
        device = choose_device(gpu)
        self.model = load_runtime(network, ModelMetadata.read(network), device, threads)
        self.network_input = choose_input(device)
        register_heif()

    def answer(self, picture: bytes, **options: str) -> Answer:
        """Cut a file's bytes out; options as a client sends them. The cutout is the answer's body.

        Raises:
            CutoutError: what a client would get instead of a cutout; it knows status and code.
        """
        photo = load_photo({"data": picture, **options}, {}, LIMITS, explain=False)
        with torch.inference_mode():
            prepared = self.network_input.prepare(flatten(photo.image))
            maps = self.model(self.network_input.collate([prepared]))[0]
        rendering = render(photo, maps[0])
        figures = Figures(rendering.subject, rendering.coverage)
        return picture_answer(rendering.picture, figures, photo.request, LIMITS.max_response_bytes)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", type=Path)
    parser.add_argument("photos", type=Path, help="a folder")
    parser.add_argument("cutouts", type=Path, help="a folder, made if it is not there")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    cutter = Cutter(arguments.network, arguments.threads)
    arguments.cutouts.mkdir(parents=True, exist_ok=True)
    refused = 0
    for photo in sorted(path for path in arguments.photos.iterdir() if path.is_file()):
        try:
            answer = cutter.answer(photo.read_bytes(), format="png")
        except CutoutError as error:
            refused += 1
            print(f"{photo}: {error.code}: {error.detail}", file=sys.stderr)
            continue
        cutout = arguments.cutouts / f"{photo.name}.png"
        cutout.write_bytes(answer.body)
        print(cutout)
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
