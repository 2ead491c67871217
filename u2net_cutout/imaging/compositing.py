"""Pictures, mattes and backgrounds put together. Knows Pillow; no request, network or server.

Backgrounds are composited on the sRGB values as they are stored, not in linear light: that is what
browsers and image editors do, so that a cutout looks the same wherever it is laid.
"""

from PIL import Image, ImageChops, ImageOps

# Pixels that are looked at together.
BAND_PIXELS = 1 << 16


def is_transparent(picture: Image.Image) -> bool:
    """Whether any pixel of an RGBA picture lets its background through; other modes don't."""
    if picture.mode != "RGBA":
        return False
    width, height = picture.size
    rows = max(1, BAND_PIXELS // width)
    bands = ((0, top, width, min(top + rows, height)) for top in range(0, height, rows))
    return any(picture.crop(band).getchannel("A").getextrema() != (255, 255) for band in bands)


def flatten(picture: Image.Image) -> Image.Image:
    """Return an RGB or RGBA picture as it looks on a white page: mode RGB."""
    if picture.mode == "RGB":
        return picture
    return lay_on(picture, Image.new("RGBA", picture.size, "white")).convert("RGB")


def cut_out(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    """Give an RGB or RGBA picture `alpha` (mode L, same size): mode RGBA, straight alpha.

    The picture itself becomes the cutout and is returned; a copy of a large one costs as much as
    all the rest. Its colours are left as they are; its own transparency, if any, is replaced.
    """
    picture.putalpha(alpha)
    return picture


def multiply_own(alpha: Image.Image, picture: Image.Image) -> Image.Image:
    """Return `alpha` (mode L) times the picture's own transparency, if it has any."""
    if picture.mode != "RGBA":
        return alpha
    return ImageChops.multiply(alpha, picture.getchannel("A"))


def keep_inside(alpha: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Return `alpha` (mode L) with 0 outside of a box."""
    kept = Image.new("L", alpha.size)
    kept.paste(alpha.crop(box), box)
    return kept


def lay_on(cutout: Image.Image, background: Image.Image) -> Image.Image:
    """Return an RGBA cutout on a background of the same size, mode RGBA as well."""
    return Image.alpha_composite(background, cutout)


def cover(background: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a background as RGBA of `size`: centred, scaled to cover, the rest cut off."""
    return ImageOps.fit(background, size, Image.Resampling.BICUBIC).convert("RGBA")


def clear_transparent(cutout: Image.Image) -> Image.Image:
    """Return an RGBA picture with black, transparent pixels wherever alpha is 0."""
    cleared = Image.new("RGBA", cutout.size)
    cleared.paste(cutout, mask=where_seen(cutout))
    return cleared


def where_seen(cutout: Image.Image) -> Image.Image:
    """Return a mask of an RGBA picture: 255 wherever alpha is not 0."""
    return cutout.getchannel("A").point(lambda alpha: 255 if alpha else 0)
