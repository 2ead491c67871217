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
from u2net_cutout.imaging.decoding import register_heif
from u2net_cutout.network.inputs import choose_input
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.runtime import choose_device, load_runtime
from u2net_cutout.network.variant import VARIANTS
from u2net_cutout.pipeline.cutout import CutoutPipeline
from u2net_cutout.pipeline.request import ReceivedRequest

# As in handler/model-config.yaml.
LIMITS = Limits(max_file_bytes=32 << 20, max_pixels=52_000_000, max_response_bytes=100 << 20)


def load_pipeline(network: Path, threads: int) -> CutoutPipeline:
    """Load the network of a folder onto the CPU.

    Raises:
        ModelLoadError: its files are damaged, or this machine can't run it.
    """
    torch.set_num_threads(threads)
    register_heif()
    device = choose_device(gpu_id=None)
    metadata = ModelMetadata.read(network)
    runtime = load_runtime(network, metadata, device, threads)
    return CutoutPipeline(runtime, choose_input(device, VARIANTS[metadata.variant]), LIMITS)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", type=Path)
    parser.add_argument("photos", type=Path, help="a folder")
    parser.add_argument("cutouts", type=Path, help="a folder, made if it is not there")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    pipeline = load_pipeline(arguments.network, arguments.threads)
    arguments.cutouts.mkdir(parents=True, exist_ok=True)
    refused = 0
    for photo in sorted(path for path in arguments.photos.iterdir() if path.is_file()):
        try:
            # Options are fields beside the picture, as a client sends them.
            request = ReceivedRequest({"data": photo.read_bytes(), "format": "png"})
            response = pipeline.run(request)
        except CutoutError as error:
            refused += 1
            print(f"{photo}: {error.code}: {error.detail}", file=sys.stderr)
            continue
        cutout = arguments.cutouts / f"{photo.name}.png"
        cutout.write_bytes(response.body)
        print(cutout)
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
