"""Pictures and mattes to cutouts. Knows Pillow; knows no request, no network, no server."""

from PIL import Image, ImageChops


def flatten(picture: Image.Image) -> Image.Image:
    """Return an RGB or RGBA picture as it looks on a white page: mode RGB."""
    if picture.mode == "RGB":
        return picture
    page = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(page, picture).convert("RGB")


def cut_out(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    """Return the RGB or RGBA picture with `alpha` (mode L, same size): mode RGBA, straight alpha.

    The picture's own transparency, if any, multiplies into it; its colours are left as they are.
    """
    if picture.mode == "RGBA":
        alpha = ImageChops.multiply(alpha, picture.getchannel("A"))
    cutout = picture.convert("RGBA")
    cutout.putalpha(alpha)
    return cutout
