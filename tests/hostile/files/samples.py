"""Small sound pictures of every kind that is read; the broken ones are derived from them."""

from functools import cache
from io import BytesIO
from types import MappingProxyType
from typing import Any

from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from tests.hostile.files.parts import encoded

SIZE = (40, 24)
FRAMES = 3
HEIF = "HEIF"

# File format, mode and options of each.
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "jpeg": ("JPEG", "RGB", {"quality": 50}),
    "jpeg-progressive": ("JPEG", "RGB", {"quality": 50, "progressive": True}),
    "jpeg-grey": ("JPEG", "L", {"quality": 50}),
    "jpeg-cmyk": ("JPEG", "CMYK", {"quality": 50}),
    "png": ("PNG", "RGB", {}),
    "png-rgba": ("PNG", "RGBA", {}),
    "png-palette": ("PNG", "P", {"transparency": 3}),
    "png-grey16": ("PNG", "I;16", {}),
    "png-bit": ("PNG", "1", {}),
    "webp": ("WEBP", "RGB", {"quality": 50}),
    "webp-lossless": ("WEBP", "RGBA", {"lossless": True}),
    "avif": ("AVIF", "RGB", {"quality": 40, "speed": 10}),
    "avif-alpha": ("AVIF", "RGBA", {"quality": 40, "speed": 10, "subsampling": "4:4:4"}),
    "tiff": ("TIFF", "RGB", {}),
    "tiff-deflate": ("TIFF", "RGBA", {"compression": "tiff_adobe_deflate"}),
    "tiff-lzw": ("TIFF", "L", {"compression": "tiff_lzw"}),
    "tiff-jpeg": ("TIFF", "RGB", {"compression": "jpeg"}),
    "tiff-fax": ("TIFF", "1", {"compression": "group4"}),
    "tiff-cmyk": ("TIFF", "CMYK", {"compression": "packbits"}),
    "tiff-big": ("TIFF", "RGB", {"big_tiff": True}),
    "tiff-float": ("TIFF", "F", {}),
    "gif": ("GIF", "P", {"transparency": 2}),
    "bmp": ("BMP", "RGB", {}),
    "bmp-palette": ("BMP", "P", {}),
    "heic": (HEIF, "RGB", {"quality": 40}),
}
ANIMATED = ("png", "webp", "avif", "tiff", "gif")


@cache
def samples() -> MappingProxyType[str, bytes]:
    """Return the files by name; HEIC is among them where pillow-heif is registered."""
    Image.init()
    files = {
        name: encoded(picture(mode), file_format, **options)
        for name, (file_format, mode, options) in KINDS.items()
        if file_format in Image.SAVE
    }
    for name in ANIMATED:
        file_format, mode, options = KINDS[name]
        frames = [picture(mode).rotate(90 * turn) for turn in range(FRAMES)]
        files[f"{name}-animated"] = encoded(
            frames[0], file_format, save_all=True, append_images=frames[1:], **options
        )
    files |= _with_metadata()
    return MappingProxyType(files)


def picture(mode: str) -> Image.Image:
    """Return a small picture of gradients in a mode."""
    ramp = Image.linear_gradient("L")
    bands = [ramp, ramp.rotate(90), ramp.rotate(180), ramp.rotate(270)]
    if mode in ("RGB", "RGBA", "CMYK"):
        return Image.merge(mode, [band.resize(SIZE) for band in bands[: len(mode)]])
    small = ramp.resize(SIZE)
    return small.quantize(16) if mode == "P" else small.convert(mode)


def _with_metadata() -> dict[str, bytes]:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x0131], exif.get_ifd(0xA005)[1] = 6, "torture", "R03"
    texts = PngInfo()
    texts.add_text("Title", "a picture", zip=True)
    texts.add_itxt("Comment", "äöü", "de", "Kommentar", zip=True)
    texts.add(b"gAMA", (50_000).to_bytes(4, "big"))
    options = {"exif": exif, "icc_profile": profile}
    files = {
        f"{name}-metadata": encoded(picture("RGB"), file_format, **options)
        for name, file_format in (("jpeg", "JPEG"), ("webp", "WEBP"), ("tiff", "TIFF"))
    }
    files["png-metadata"] = encoded(picture("RGB"), "PNG", pnginfo=texts, **options)
    files["avif-metadata"] = encoded(picture("RGB"), "AVIF", speed=10, quality=40, **options)
    both = BytesIO()
    picture("RGB").save(both, "MPO", save_all=True, append_images=[picture("RGB")])
    return files | {"mpo": both.getvalue()}
