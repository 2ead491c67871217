"""From a file's bytes to an upright picture in sRGB. Knows Pillow; no request and no network."""

from collections.abc import Callable
from contextlib import nullcontext

from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from u2net_cutout.contract.errors import (
    CutoutError,
    FileTooLarge,
    InvalidFileType,
    ResolutionTooHigh,
    TooMuchMemory,
    UnreadableImage,
)
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.bit_depth import stored_as, to_bytes, unpack_rightly
from u2net_cutout.imaging.containers import read_container
from u2net_cutout.imaging.exif import find_orientation
from u2net_cutout.imaging.file_structure import check_structure
from u2net_cutout.imaging.gif_blocks import GIF_SIGNATURE
from u2net_cutout.imaging.header_limits import check_header, check_size
from u2net_cutout.imaging.icc_profile import find_profile
from u2net_cutout.imaging.jpeg_end import has_end, load_without_end
from u2net_cutout.imaging.jpeg_segments import JPEG_SIGNATURE
from u2net_cutout.imaging.memory_limit import BUDGETS, MemoryBudgets
from u2net_cutout.imaging.picture_kind import check_kind
from u2net_cutout.imaging.pixel_file import CUT_SHORT, PixelFile
from u2net_cutout.imaging.png_chunks import PNG_SIGNATURE
from u2net_cutout.imaging.srgb import to_srgb
from u2net_cutout.imaging.tiff_directory import TIFF_SIGNATURES

# Only these decoders ever see foreign bytes; Pillow knows many more (EPS would start Ghostscript).
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF")
HEIF_FORMAT = "HEIF"
# As long as a picture of these is in use its decoder is, too, and has a copy of all its pixels.
HOLDING_FORMATS = ("WEBP", "AVIF", HEIF_FORMAT)

# How files of these kinds begin. Pillow can't tell a broken one from a file of another kind.
SIGNATURES = (JPEG_SIGNATURE, PNG_SIGNATURE, GIF_SIGNATURE, *TIFF_SIGNATURES)
# These kinds share their first bytes with others (WAV, MP4): where they differ, and how.
INNER_SIGNATURES = ((8, b"WEBP"), (4, b"ftypavif"), (4, b"ftypavis"))

# Decodes a JPEG that is opened already, and has the file's bytes; None: it leaves that to Pillow.
JpegDecoder = Callable[[Image.Image, bytes | bytearray], Image.Image | None]

# What turns a picture upright that was stored in an EXIF orientation.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def register_heif() -> bool:
    """Teach Pillow to read HEIC where ``pillow-heif`` is installed; say whether it is."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def share_threads(threads: int) -> None:
    """Have the decoders that start threads of their own start no more than so many.

    Each costs memory beside its time, and by default there is one for every CPU.
    """
    AvifImagePlugin.DEFAULT_MAX_THREADS = threads
    if HEIF_FORMAT in Image.OPEN:
        import pillow_heif

        pillow_heif.options.DECODE_THREADS = threads


def decode_image(
    data: bytes | bytearray,
    limits: Limits,
    jpeg_decoder: JpegDecoder | None = None,
    budgets: MemoryBudgets | None = BUDGETS,
) -> Image.Image:
    """Read a picture, upright by its EXIF orientation, in sRGB: mode RGB, or RGBA if it has alpha.

    Of an animation, the first frame. Limits are checked on the file's structure and on its header,
    before any pixel is decoded; memory while it is. The picture brings no metadata along but its
    file's format, as Pillow calls it; its profile would be wrong now. `jpeg_decoder` comes before
    Pillow's own. Without `budgets`, memory has no limit but the system's.

    Raises:
        FileTooLarge, ResolutionTooHigh, SideTooLong, TooManyParts, TooManyFrames, MetadataTooLarge,
        TooMuchMemory: over a limit.
        InvalidFileType: not a picture of a kind that is read here.
        UnsupportedPicture: it is one of a sort that is not read, such as a camera's raw file.
        UnreadableImage: it is one, and broken or truncated.
    """
    if len(data) > limits.max_file_bytes:
        raise FileTooLarge(
            f"the picture has {len(data)} bytes; the limit is {limits.max_file_bytes}"
        )
    check_structure(data, limits.max_parts)
    budget = budgets.take(limits.max_decoding_bytes) if budgets else nullcontext()
    try:
        with budget:
            container = read_container(data, limits.max_metadata_bytes)
            check_kind(data)
            with _open(container, data) as image:
                check_header(image, limits, container.ignored_bytes)
                return _decode(image, container, data, limits, jpeg_decoder)
    except MemoryError as error:
        if budgets is None:
            raise
        raise TooMuchMemory(
            f"the decoder asks for more than {limits.max_decoding_bytes} bytes"
        ) from error


def _decode(
    image: Image.Image,
    container: PixelFile,
    data: bytes | bytearray,
    limits: Limits,
    jpeg_decoder: JpegDecoder | None,
) -> Image.Image:
    try:
        stored = stored_as(image)
        if image.format == "JPEG" and not has_end(file := container.file.getvalue()):
            image = load_without_end(file)
            image.info.update(container.info)
        # Another decoder would fill up what lacks, too.
        elif jpeg_decoder is not None and (decoded := jpeg_decoder(image, data)) is not None:
            decoded.format = image.format
            return decoded
        unpack_rightly(image)
        image.load()
        check_size(image, limits)  # HEIC's decoder finds another size only now
        levels = to_bytes(image, stored, lambda: _open(container, data))
        picture = _upright(to_srgb(levels, find_profile(image, data)), image)
        if picture is image and image.format in HOLDING_FORMATS:
            picture = image.copy()
        picture.info.clear()
        picture.format = image.format
        return picture
    except (CutoutError, MemoryError):
        raise
    except Exception as error:  # decoders raise all kinds of errors over broken files
        if "truncated" in str(error):  # Pillow has no class for it
            raise UnreadableImage(CUT_SHORT) from error
        raise UnreadableImage(
            "the picture is broken, cut short, or needs more memory than is allowed"
        ) from error


def _open(container: PixelFile, data: bytes | bytearray) -> Image.Image:
    formats = (*FORMATS, HEIF_FORMAT) if HEIF_FORMAT in Image.OPEN else FORMATS
    try:
        image = Image.open(container.file, formats=formats)
    except Image.DecompressionBombError as error:
        raise ResolutionTooHigh("the picture has far too many pixels") from error
    except UnidentifiedImageError as error:
        if _looks_like_a_picture(data):
            raise UnreadableImage("the picture's first bytes are broken or cut short") from error
        raise InvalidFileType(f"the file is none of {', '.join(formats)}") from error
    except MemoryError:
        raise
    except Exception as error:  # as above
        raise UnreadableImage("the picture's first bytes are broken or cut short") from error
    image.info.update(container.info)
    return image


def _looks_like_a_picture(data: bytes | bytearray) -> bool:
    return data.startswith(SIGNATURES) or any(
        data.startswith(signature, at) for at, signature in INNER_SIGNATURES
    )


def _upright(picture: Image.Image, source: Image.Image) -> Image.Image:
    turn = UPRIGHT.get(find_orientation(source.info.get("exif") or b""))
    return picture.transpose(turn) if turn is not None else picture
