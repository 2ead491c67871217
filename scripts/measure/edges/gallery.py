"""Draw the gallery of README.md: photos and composites, and the cutouts that archives make of them.

All photos are in the public domain; NOTICE credits them. The archives of u2net and isnet are those
that ``make archive`` builds.
"""

from collections.abc import Sequence
from pathlib import Path

from matplotlib import cbook
from PIL import Image, ImageFilter, ImageOps

from scripts.common.options import parse
from scripts.common.paths import DOCS, archive_of
from scripts.measure.edges.composites import photo, subjects
from u2net_cutout import open_archive
from u2net_cutout.local.model import CutoutModel

TILE = (300, 260)
GAP = 8
SQUARE = 10
PAGE_COLOUR = (255, 255, 255)
LIGHT, DARK = (250, 250, 250), (216, 216, 216)
SIZE = (900, 780)
GROUP = "grace_hopper.jpg"


def gallery(line: Sequence[str]) -> None:
    """Write docs/gallery.jpg (u2net) and docs/models.jpg (u2net beside isnet)."""
    arguments = parse("gallery", "Draw the gallery of README.md.", line, "build")
    wheel = next(each.picture for each in subjects("spokes", SIZE, ["coffee.png", "rocket.jpg"]))
    with (
        open_archive(archive_of(arguments.build, "u2net")) as u2net,
        open_archive(archive_of(arguments.build, "isnet")) as isnet,
    ):
        shown = (
            photo("astronaut.png", SIZE),
            photo("coffee.png", SIZE),
            wheel,
            _group(u2net),
            photo("coins.png", SIZE),
        )
        _save("gallery", [shown, [_cutout(u2net, each) for each in shown]])
        fine = (photo("camera.png", SIZE), wheel)
        _save("models", [[each, _cutout(u2net, each), _cutout(isnet, each)] for each in fine])


def sheet(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Lay pictures out in rows of tiles, transparent ones on a chessboard: mode RGB."""
    width, height = (side + GAP for side in TILE)
    columns = max(map(len, rows))
    page = Image.new("RGB", (columns * width - GAP, len(rows) * height - GAP), PAGE_COLOUR)
    for down, row in enumerate(rows):
        for across, picture in enumerate(row):
            tile = ImageOps.fit(picture, TILE, Image.Resampling.LANCZOS)
            if tile.mode == "RGBA":
                tile = Image.alpha_composite(_chessboard(), tile).convert("RGB")
            page.paste(tile, (across * width, down * height))
    return page


def _group(model: CutoutModel) -> Image.Image:
    """Compose two portraits before a background out of focus: there is no free group photo."""
    page = photo("rocket.jpg", SIZE).filter(ImageFilter.GaussianBlur(SIZE[1] / 80))
    width, height = SIZE
    with Image.open(Path(str(cbook.get_sample_data(GROUP, asfileobj=False)))) as portrait:
        portraits = (photo("astronaut.png", (height, height)), portrait.convert("RGB"))
    for share, each in zip((0.0, 0.45), portraits, strict=True):
        person = ImageOps.contain(_cutout(model, each), (int(width * 0.55), height))
        page.paste(person, (int(width * share), height - person.height), person)
    return page


def _cutout(model: CutoutModel, picture: Image.Image) -> Image.Image:
    return model.remove(picture, edges="refined")


def _chessboard() -> Image.Image:
    board = Image.new("RGBA", TILE, LIGHT)
    for top in range(0, TILE[1], SQUARE):
        for left in range(top % (2 * SQUARE), TILE[0], 2 * SQUARE):
            board.paste(DARK, (left, top, left + SQUARE, top + SQUARE))
    return board


def _save(name: str, rows: Sequence[Sequence[Image.Image]]) -> None:
    file = DOCS / f"{name}.jpg"
    sheet(rows).save(file, quality=77, optimize=True, progressive=True)
    print(f"{file.name}: {file.stat().st_size} bytes")
