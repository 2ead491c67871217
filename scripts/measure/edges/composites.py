"""Photos laid over photos with a known alpha: what edges are measured on.

Everything is made here from scikit-image's photographs, so the true foreground is known where it
shines through, too.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import skimage
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

# Each photo of the wheel lies over the next one.
PHOTOS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "rocket.jpg",
    "motorcycle_left.png",
    "retina.jpg",
    "hubble_deep_field.jpg",
)
NETWORK_SIZE = (320, 320)
SUPERSAMPLING = 4


@dataclass(frozen=True)
class Composite:
    """A foreground over a background: RGB pictures, their alpha (L) and what they give (RGB)."""

    name: str
    shape: str
    foreground: Image.Image
    alpha: Image.Image
    picture: Image.Image


def soft_disc(size: tuple[int, int]) -> Image.Image:
    """Draw the alpha of a disc whose edge is a wide blur: mode L."""
    return _disc(size).filter(ImageFilter.GaussianBlur(size[1] / 40))


def hard_disc(size: tuple[int, int]) -> Image.Image:
    """Draw the alpha of a disc with a photo's natural edge, two or three pixels wide: mode L."""
    return _disc(size).filter(ImageFilter.GaussianBlur(1))


def hair(size: tuple[int, int]) -> Image.Image:
    """Draw the alpha of a disc that 300 long hairs grow from: mode L."""
    return _hairy(size, radius=1 / 4, hairs=300, bend=0.6, reach=(0.3, 0.9))


def text(size: tuple[int, int]) -> Image.Image:
    """Draw the alpha of lines of writing, from large to small: mode L."""
    canvas = _canvas(size)
    draw = ImageDraw.Draw(canvas)
    top = canvas.height * 0.02
    for share in (0.3, 0.2, 0.14, 0.1, 0.07, 0.05):
        font = ImageFont.load_default(canvas.height * share)
        draw.text((canvas.width * 0.02, top), "Straight alpha, no rim", fill=255, font=font)
        top += canvas.height * share * 1.1
    return canvas.reduce(SUPERSAMPLING)


def tuft(size: tuple[int, int]) -> Image.Image:
    """Draw the alpha of a disc with 400 short hairs: mode L. A saliency network finds it."""
    return _hairy(size, radius=0.34, hairs=400, bend=0.4, reach=(0.08, 0.25))


def spokes(size: tuple[int, int]) -> Image.Image:
    """Draw the alpha of a disc with 60 spokes, six pixels wide: mode L.

    They have no rim around them: networks fill a wheel's inside, and nothing brings that back.
    """
    canvas = _canvas(size)
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    radius = height * 0.28
    _draw_disc(draw, canvas.size, radius)
    for spoke in range(60):
        angle = math.pi * spoke / 30
        across, down = 1.4 * radius * math.cos(angle), 1.4 * radius * math.sin(angle)
        end = width / 2 + across, height / 2 + down
        draw.line([(width / 2, height / 2), end], fill=255, width=6 * SUPERSAMPLING)
    return canvas.reduce(SUPERSAMPLING)


def word(size: tuple[int, int]) -> Image.Image:
    """Draw the alpha of one fat word: mode L."""
    canvas = _canvas(size)
    font = ImageFont.load_default(canvas.height * 0.55)
    middle = canvas.width / 2, canvas.height / 2
    ImageDraw.Draw(canvas).text(
        middle, "Bold", fill=255, font=font, anchor="mm", stroke_width=canvas.height / 100
    )
    return canvas.reduce(SUPERSAMPLING)


SHAPES: dict[str, Callable[[tuple[int, int]], Image.Image]] = {
    "soft disc": soft_disc,
    "hard disc": hard_disc,
    "text": text,
    "hair": hair,
}

# Shapes that a saliency network takes for the subject, before a background out of focus.
SUBJECTS: dict[str, Callable[[tuple[int, int]], Image.Image]] = {
    "soft disc": soft_disc,
    "hard disc": hard_disc,
    "word": word,
    "tuft": tuft,
    "spokes": spokes,
}


def composites(shape: str, size: tuple[int, int]) -> Iterator[Composite]:
    """Lay each photo of the wheel over the next one, cut by one of `SHAPES`; (width, height)."""
    alpha = SHAPES[shape](size)
    for name, behind in zip(PHOTOS, PHOTOS[1:] + PHOTOS[:1], strict=True):
        foreground = photo(name, size)
        picture = lay(foreground, photo(behind, size), alpha)
        yield Composite(Path(name).stem, shape, foreground, alpha, picture)


def subjects(
    shape: str, size: tuple[int, int], photos: Sequence[str] = PHOTOS
) -> Iterator[Composite]:
    """Like `composites`, but one of `SUBJECTS`, and the photo behind it is out of focus.

    `photos` are names in scikit-image's wheel, or paths of other files.
    """
    alpha = SUBJECTS[shape](size)
    blur = ImageFilter.GaussianBlur(size[1] / 80)
    for name, behind in zip(photos, (*photos[1:], photos[0]), strict=True):
        foreground = photo(name, size)
        picture = lay(foreground, photo(behind, size).filter(blur), alpha)
        yield Composite(Path(name).stem, shape, foreground, alpha, picture)


def lay(foreground: Image.Image, background: Image.Image, alpha: Image.Image) -> Image.Image:
    """Compose two RGB pictures by the compositing equation, on the stored (sRGB) values."""
    share = np.asarray(alpha, np.float32)[:, :, None] / 255
    front, back = (np.asarray(layer, np.float32) for layer in (foreground, background))
    return Image.fromarray((share * front + (1 - share) * back).round().astype(np.uint8))


def seen_by_the_network(alpha: Image.Image) -> Image.Image:
    """Return an alpha as a network of 320 x 320 would answer it at best: reduced, and enlarged."""
    small = alpha.resize(NETWORK_SIZE, Image.Resampling.BOX)
    return small.resize(alpha.size, Image.Resampling.BILINEAR)


@cache
def photo(name: str, size: tuple[int, int]) -> Image.Image:
    """Read a photo, cropped and enlarged to (width, height): mode RGB."""
    # An absolute path stays what it is.
    file = Path(skimage.__file__).parent / "data" / name
    with Image.open(file) as picture:
        return ImageOps.fit(picture.convert("RGB"), size, Image.Resampling.LANCZOS)


def _hairy(
    size: tuple[int, int], *, radius: float, hairs: int, bend: float, reach: tuple[float, float]
) -> Image.Image:
    """Draw a disc, its radius a share of the height, with bent hairs of one to three pixels.

    A hair reaches so many radii outwards, and bends by up to so many radians.
    """
    canvas = _canvas(size)
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    root = height * radius
    _draw_disc(draw, canvas.size, root)
    dice = random.Random(0)
    for _ in range(hairs):
        direction, turn = dice.uniform(0, 2 * math.pi), dice.uniform(-bend, bend)
        length = dice.uniform(*reach) * root
        points = []
        for step in range(21):
            distance = root * 0.95 + length * step / 20
            angle = direction + turn * (step / 20) ** 2
            points.append(
                (width / 2 + distance * math.cos(angle), height / 2 + distance * math.sin(angle))
            )
        draw.line(points, fill=255, width=dice.randint(1, 3) * SUPERSAMPLING, joint="curve")
    return canvas.reduce(SUPERSAMPLING)


def _canvas(size: tuple[int, int]) -> Image.Image:
    width, height = size
    return Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING))


def _disc(size: tuple[int, int]) -> Image.Image:
    canvas = _canvas(size)
    _draw_disc(ImageDraw.Draw(canvas), canvas.size, canvas.height / 3)
    return canvas.reduce(SUPERSAMPLING)


def _draw_disc(draw: ImageDraw.ImageDraw, size: tuple[int, int], radius: float) -> None:
    width, height = size
    draw.circle((width / 2, height / 2), radius, fill=255)
