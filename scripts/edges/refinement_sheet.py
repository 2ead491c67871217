"""Lay first look, refined matte and closed form of the same pictures side by side, to look at.

On magenta, a row for each picture: each whole, then each at 100 % where the edge is busiest. Closed
form is pymatting's, an optional dependency: accurate on hair, and too slow for a server.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import Compose

from composition import flatten
from contact_sheet import LIMITS, MODEL, row, stack
from foreground_colour import decontaminate
from image_decoding import decode_image
from matte_refinement import refine
from matting import alpha_matte
from preprocessing import Normalize, Rescale
from saliency_network import INPUT_SIZE, VARIANTS, SaliencyNetwork
from weights_conversion import folded_network, read_weights
from weights_record import WeightsError

# Alpha up to the first number is taken for background, from the second on for foreground.
TRIMAP = (0.03, 0.97)


def closed_form(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    """Estimate a matte (mode L) with pymatting, from a first look at an RGB picture."""
    from pymatting import estimate_alpha_cf

    first = np.asarray(alpha, np.float64) / 255
    trimap = np.where(first < TRIMAP[0], 0.0, np.where(first > TRIMAP[1], 1.0, 0.5))
    matte = estimate_alpha_cf(np.asarray(picture, np.float64) / 255, trimap)
    return Image.fromarray((matte.clip(0, 1) * 255).round().astype(np.uint8))


def mattes(picture: Image.Image, network: SaliencyNetwork) -> list[Image.Image]:
    """Return first look, refined matte and closed form of an RGB picture, each mode L."""
    batch = Compose([Rescale(INPUT_SIZE), Normalize()])(picture).unsqueeze(0)
    with torch.inference_mode():
        first = alpha_matte(network(batch)[0, 0], picture.size)
    return [first, refine(picture, first), closed_form(picture, first)]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, default=Path("build/weights"))
    parser.add_argument("--output", type=Path, default=Path("build/refinement-sheet.png"))
    arguments = parser.parse_args()
    rows = []
    try:
        weights = read_weights(arguments.weights / f"{MODEL}.pth", VARIANTS[MODEL])
        network = folded_network(weights, VARIANTS[MODEL])
        for number, path in enumerate(arguments.pictures, start=1):
            print(f"{number}/{len(arguments.pictures)} {path.name}", flush=True)
            picture = flatten(decode_image(path.read_bytes(), LIMITS))
            looks = mattes(picture, network)
            rows.append(row([decontaminate(picture, look) for look in looks]))
    except WeightsError as error:
        sys.exit(f"{error}: make weights")
    except ImportError as error:
        sys.exit(f"{error}; to get it: .venv/bin/python -m pip install -e '.[edges]'")
    stack(rows).save(arguments.output)
    print(f"{arguments.output}: first look, refined, closed form; whole, then at 100 %")


if __name__ == "__main__":
    main()
