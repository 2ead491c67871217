"""Other libraries read of these files what was written."""

import shutil
import subprocess
from io import BytesIO

import numpy as np
import pytest
import tifffile

from scripts.documents.depths.samples import Alpha, Kind, colours, ramps
from scripts.documents.depths.tiff_files import Packing, SampleFormat, TiffLayout, tiff

CONVERT = shutil.which("convert")
NATIVE = {
    SampleFormat.UNSIGNED: (8, 16, 32, 64),
    SampleFormat.SIGNED: (8, 16, 32, 64),
    SampleFormat.FLOAT: (16, 32, 64),
}


@pytest.mark.parametrize("packing", [Packing.STRIP, Packing.PLANES, Packing.TILE, Packing.DEFLATED])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [Kind.GREY, Kind.RGB, Kind.CMYK])
def test_tifffile_reads_the_samples(kind: Kind, order: str, packing: Packing) -> None:
    for sample_format, depths in NATIVE.items():
        for bits in depths:
            layout = TiffLayout(kind, Alpha.STRAIGHT, sample_format, bits, order, packing)
            levels = ramps(kind, Alpha.STRAIGHT)

            samples = tifffile.imread(BytesIO(tiff(layout, levels)))

            if packing is Packing.PLANES:
                samples = np.moveaxis(samples, 0, -1)
            assert samples.dtype.itemsize * 8 == bits
            scale = 1.0 if sample_format is SampleFormat.FLOAT else layout.scale()
            assert np.abs(samples / scale - levels).max() <= 0.5 / layout.scale().min() + 1e-3


@pytest.mark.skipif(CONVERT is None, reason="imagemagick is not installed")
@pytest.mark.parametrize(
    "layout",
    [
        TiffLayout(Kind.GREY, bits=1),
        TiffLayout(Kind.GREY, bits=2, order=">"),
        TiffLayout(Kind.GREY, bits=4, packing=Packing.LOW_BIT_FIRST),
        TiffLayout(Kind.GREY, bits=12),
        TiffLayout(Kind.GREY, sample_format=SampleFormat.FLOAT, bits=32),
        TiffLayout(Kind.GREY, sample_format=SampleFormat.FLOAT, bits=32, order=">"),
        TiffLayout(Kind.INVERTED, bits=1),
        TiffLayout(Kind.INVERTED, bits=8, packing=Packing.PLANES),
        TiffLayout(Kind.INVERTED, bits=16),
        TiffLayout(Kind.RGB, bits=16, packing=Packing.PLANES),
        TiffLayout(Kind.RGB, bits=8, packing=Packing.TILE),
        TiffLayout(Kind.PALETTE, bits=4, packing=Packing.PLANES),
        TiffLayout(Kind.RGB, Alpha.STRAIGHT, bits=16),
    ],
    ids=str,
)
def test_imagemagick_sees_the_colours(layout: TiffLayout) -> None:
    levels = ramps(layout.kind, layout.alpha)
    right = colours(layout.kind, layout.alpha, layout.stored(levels))

    shown = subprocess.run(
        [
            *(str(CONVERT), "tif:-", "-depth", "8"),
            "rgba:-" if layout.alpha is Alpha.STRAIGHT else "rgb:-",
        ],
        input=tiff(layout, levels),
        check=True,
        capture_output=True,
    ).stdout

    assert np.abs(np.frombuffer(shown, np.uint8).reshape(right.shape) - right).max() <= 1
