"""Depths, raw files and camera sizes, asked of a real server over HTTP."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from scripts.documents.depths.samples import Alpha, Kind, colours, ramps
from scripts.documents.depths.tiff_files import Packing, SampleFormat, TiffLayout, tiff
from tests.served.conftest import Served
from tests.served.test_answers import refusal
from tests.served.test_pictures import shown
from tests.u2net_cutout.imaging.test_decoding import encoded
from tests.u2net_cutout.imaging.test_picture_kind import (
    COLOUR_FILTERS,
    DNG_VERSION,
    FULL,
    REDUCED,
    THUMBNAIL,
    pages,
    sensor,
    with_sub_picture,
)

FLOAT = SampleFormat.FLOAT


@pytest.mark.parametrize(
    "layout",
    [
        TiffLayout(Kind.GREY, Alpha.NONE, FLOAT, 32),
        TiffLayout(Kind.GREY, Alpha.NONE, FLOAT, 32, ">", Packing.DEFLATED),
        TiffLayout(Kind.INVERTED, Alpha.NONE, FLOAT, 32),
        TiffLayout(Kind.GREY, bits=12),
        TiffLayout(Kind.GREY, bits=4, packing=Packing.PLANES),
        TiffLayout(Kind.INVERTED, packing=Packing.PLANES),
        TiffLayout(Kind.RGB, bits=16, order=">", packing=Packing.PLANES),
        TiffLayout(Kind.CMYK, bits=16),
        TiffLayout(Kind.LAB),
    ],
    ids=str,
)
def test_a_tiff_of_any_depth_is_seen_as_it_is_meant(served: Served, layout: TiffLayout) -> None:
    levels = ramps(layout.kind, layout.alpha)

    pixels = np.asarray(shown(served, tiff(layout, levels)))[..., :3]

    right = colours(layout.kind, layout.alpha, layout.stored(levels))
    assert np.abs(pixels - right).max() <= 2


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        (TiffLayout(Kind.RGB, Alpha.NONE, FLOAT, 32), "32-bit floating-point RGB"),
        (TiffLayout(Kind.LAB, Alpha.NONE, FLOAT, 32), "32-bit floating-point CIE Lab"),
        (TiffLayout(Kind.GREY, Alpha.STRAIGHT, bits=16), "16-bit grey with alpha"),
        (TiffLayout(Kind.CMYK, Alpha.STRAIGHT), "8-bit CMYK with alpha"),
        (TiffLayout(Kind.GREY, Alpha.NONE, SampleFormat.SIGNED, 16), "16-bit signed grey"),
        (TiffLayout(Kind.GREY, bits=32), "32-bit grey"),
    ],
    ids=str,
)
def test_a_tiff_that_is_not_read_is_refused_by_its_name(
    served: Served, layout: TiffLayout, name: str
) -> None:
    data = tiff(layout, ramps(layout.kind, layout.alpha))

    response = served.ask(files={"image_file": data})

    assert refusal(response) == (400, "unsupported_picture")
    assert f"the TIFF has {name}" in response.json()["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (
            with_sub_picture(
                {"data": THUMBNAIL, "subfiletype": REDUCED, "extratags": [DNG_VERSION]},
                sensor(COLOUR_FILTERS),
            ),
            "camera raw files are not read",
        ),
        (b"FUJIFILMCCD-RAW 0201FF383501X-T3" + bytes(300), "camera raw files are not read"),
        (
            pages({"data": THUMBNAIL, "subfiletype": REDUCED}, {"data": FULL}),
            "begins with a thumbnail",
        ),
        (pages({"data": FULL}, bigtiff=True, byteorder=">"), "a BigTIFF in big-endian byte order"),
    ],
    ids=["DNG", "RAF", "thumbnail first", "big-endian BigTIFF"],
)
def test_a_thumbnail_is_never_cut_out_for_the_picture(
    served: Served, data: bytes, detail: str
) -> None:
    response = served.ask(files={"image_file": data})

    assert refusal(response) == (400, "unsupported_picture")
    assert detail in response.json()["errors"][0]["detail"]


def test_a_photo_of_50_megapixels_is_cut_out(served: Served, photos: list[Image.Image]) -> None:
    size, workers = (8160, 6144), served.worker_pids()
    photo = encoded(photos[1].resize(size), "JPEG")

    raw = served.ask(files={"image_file": photo})
    cutout = served.ask(files={"image_file": photo}, data={"format": "png"})

    assert refusal(raw) == (413, "response_too_large")
    assert "format=png" in raw.json()["errors"][0]["detail"]
    assert cutout.status_code == 200
    with Image.open(BytesIO(cutout.content)) as picture:
        assert (picture.size, picture.mode) == (size, "RGBA")
        assert picture.getchannel("A").getextrema() == (0, 255)
    assert served.worker_pids() == workers
