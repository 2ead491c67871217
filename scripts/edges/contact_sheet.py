"""Lay our cutouts and rembg's of the same pictures side by side on magenta, to look at.

Same weights, same pictures, each tool's default. A row for each picture: ours and rembg's whole,
then both at 100 % where the edge is busiest. rembg (PyPI, an optional dependency) reads the ONNX
file that ``make weights`` keeps.
"""

import argparse
import os
import shutil
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import Compose

from composition import flatten
from cutout_limits import Limits
from foreground_colour import decontaminate
from image_decoding import decode_image
from matting import alpha_matte
from preprocessing import Normalize, Rescale
from saliency_network import INPUT_SIZE, VARIANTS, SaliencyNetwork
from weights_conversion import folded_network, read_weights
from weights_record import WeightsError

MODEL = "u2net"
PAPER = "magenta"
TILE = 400
GAP = 8

LIMITS = Limits(max_file_bytes=1 << 26, max_pixels=50_000_000, max_response_bytes=1 << 28)


def ours(picture: Image.Image, network: SaliencyNetwork) -> Image.Image:
    """Cut a picture out as the server does by default: mode RGBA."""
    batch = Compose([Rescale(INPUT_SIZE), Normalize()])(flatten(picture)).unsqueeze(0)
    with torch.inference_mode():
        alpha = alpha_matte(network(batch)[0, 0], picture.size)
    return decontaminate(flatten(picture), alpha)


def rembgs(data: bytes, export: Path) -> Image.Image:
    """Cut a picture out with rembg, its default: mode RGBA."""
    with tempfile.TemporaryDirectory() as home:
        # rembg looks for its models in a folder of its own, and would fetch what is not there.
        shutil.copyfile(export, Path(home) / export.name)
        os.environ["U2NET_HOME"] = home
        from rembg import new_session, remove

        cutout = remove(data, session=new_session(MODEL))
    with Image.open(BytesIO(cutout)) as picture:
        return picture.convert("RGBA")


def busiest(alpha: Image.Image, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the box of `size` in which a matte (mode L) has the most half-transparent pixels."""
    levels = np.asarray(alpha)
    soft = ((levels > 12) & (levels < 243)).astype(np.int64)
    sums = np.pad(soft.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    width, height = (min(wanted, there) for wanted, there in zip(size, alpha.size, strict=True))
    counts = (
        sums[height:, width:]
        - sums[:-height, width:]
        - sums[height:, :-width]
        + sums[:-height, :-width]
    )
    top, left = np.unravel_index(int(counts.argmax()), counts.shape)
    return int(left), int(top), int(left) + width, int(top) + height


def row(cutouts: list[Image.Image]) -> Image.Image:
    """Lay cutouts of one picture on magenta: each whole, then each at 100 %."""
    box = busiest(cutouts[0].getchannel("A"), (TILE, TILE))
    tiles = []
    for cutout in cutouts:
        laid = Image.alpha_composite(Image.new("RGBA", cutout.size, PAPER), cutout).convert("RGB")
        whole = laid.copy()
        whole.thumbnail((TILE, TILE))
        tiles.append((whole, laid.crop(box)))
    strip = Image.new("RGB", (len(cutouts) * 2 * (TILE + GAP), TILE + GAP), "white")
    for index, tile in enumerate([whole for whole, _ in tiles] + [part for _, part in tiles]):
        strip.paste(tile, (index * (TILE + GAP), 0))
    return strip


def stack(rows: list[Image.Image]) -> Image.Image:
    """Lay rows of the same size below each other."""
    sheet = Image.new("RGB", (rows[0].width, sum(strip.height for strip in rows)), "white")
    for index, strip in enumerate(rows):
        sheet.paste(strip, (0, index * strip.height))
    return sheet


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, default=Path("build/weights"))
    parser.add_argument("--output", type=Path, default=Path("build/contact-sheet.png"))
    arguments = parser.parse_args()
    export = arguments.weights / f"{MODEL}.onnx"
    try:
        network = folded_network(read_weights(export, VARIANTS[MODEL]), VARIANTS[MODEL])
    except WeightsError as error:
        sys.exit(f"{error}: make weights")
    rows = []
    for number, path in enumerate(arguments.pictures, start=1):
        print(f"{number}/{len(arguments.pictures)} {path.name}", flush=True)
        data = path.read_bytes()
        try:
            rows.append(row([ours(decode_image(data, LIMITS), network), rembgs(data, export)]))
        except ImportError as error:
            sys.exit(f"{error}; to get rembg: .venv/bin/python -m pip install 'rembg[cpu]'")
    stack(rows).save(arguments.output)
    print(f"{arguments.output}: ours and rembg's whole, then ours and rembg's at 100 %")


if __name__ == "__main__":
    main()
