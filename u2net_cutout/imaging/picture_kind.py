"""Refuses, by name, sound files of kinds that are not read. Looks at tags; decodes nothing.

Camera raw files are TIFFs, or look like them, and begin with a thumbnail, which Pillow would take
for the picture.
"""

from collections.abc import Iterator
from itertools import islice

from u2net_cutout.contract.errors import UnsupportedPicture
from u2net_cutout.imaging.tiff_directory import (
    BIG_ENDIAN_BIG_TIFF,
    BIG_TIFF_SIGNATURES,
    TIFF_SIGNATURES,
    Directory,
    TiffFile,
)
from u2net_cutout.imaging.tiff_samples import COMPRESSION, PHOTOMETRIC, UNCOMPRESSED, Samples

# How raw files begin that are no TIFF, and at which byte: Canon's CR3 and CRW, Fujifilm's RAF,
# Olympus' ORF, Panasonic's RW2, Sigma's X3F, Minolta's MRW; and Canon's CR2, which is one.
RAW_SIGNATURES = (
    *((4, b"ftypcrx "), (6, b"HEAPCCDR"), (0, b"FUJIFILMCCD-RAW "), (0, b"IIRO"), (0, b"IIRS")),
    *((0, b"MMOR"), (0, b"IIU\0"), (0, b"FOVb"), (0, b"\0MRM"), (8, b"CR\2\0")),
)
DNG_VERSION = 50706
# Colours of a camera's sensor, as the raw files of all makers hold them, in a sub-directory often.
SENSOR_SAMPLES = (32803, 34892)

NEW_SUBFILE_TYPE, SUBFILE_TYPE, SUB_DIRECTORIES = 254, 255, 330
REDUCED, MASK, OLD_REDUCED = 1, 4, 2
# Directories that are looked at: raw files hold some five.
MAX_DIRECTORIES = 32

WIDTH, HEIGHT = 256, 257

# What libtiff decodes as Pillow comes with it, and names of what it does not.
COMPRESSIONS = (1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32809, 32946, 34925, 50000)
COMPRESSION_NAMES = {34712: "JPEG 2000", 34887: "LERC", 50001: "WebP", 50002: "JPEG XL"}


ADVICE = "save it with 8 bits a channel, or as PNG"


def check_kind(data: bytes | bytearray) -> None:
    """Refuse a file of a kind that is known and not read; broken ones are left to the decoders.

    Raises:
        UnsupportedPicture: it is a camera raw file, or a TIFF that is not read.
    """
    if any(data.startswith(signature, at) for at, signature in RAW_SIGNATURES):
        raise _raw()
    if data.startswith(TIFF_SIGNATURES):
        _check_tiff(data)


def _raw() -> UnsupportedPicture:
    return UnsupportedPicture("camera raw files are not read; export the photo as JPEG or TIFF")


def _check_tiff(data: bytes | bytearray) -> None:
    if data.startswith(BIG_ENDIAN_BIG_TIFF):
        raise UnsupportedPicture(f"the file is a BigTIFF in big-endian byte order; {ADVICE}")
    file = TiffFile(data, data.startswith(BIG_TIFF_SIGNATURES))
    directories = list(islice(_directories(file), MAX_DIRECTORIES))
    if not directories:
        return
    first = directories[0]
    if any(
        DNG_VERSION in each.numbers or each.says(PHOTOMETRIC, *SENSOR_SAMPLES)
        for each in directories
    ):
        raise _raw()
    if not first.numbers.keys() >= {WIDTH, HEIGHT}:
        return
    if _is_reduced(first) and any(map(_is_full, directories)):
        raise UnsupportedPicture(
            "the TIFF begins with a thumbnail, and its picture lies further on, where it is not "
            "read; save it as a single picture"
        )
    compression = first.number(COMPRESSION, UNCOMPRESSED)
    if compression not in COMPRESSIONS:
        name = COMPRESSION_NAMES.get(compression, f"a method of number {compression}")
        raise UnsupportedPicture(f"the TIFF is compressed by {name}: not supported; {ADVICE}")
    samples = Samples.of(first, little_endian=data.startswith(b"II"))
    if not samples.readable:
        raise UnsupportedPicture(f"the TIFF has {samples}: not supported; {ADVICE}")


def _directories(file: TiffFile) -> Iterator[Directory]:
    """Yield each picture's directory, and after it those within it; without end in a circle."""
    at = file.first()
    while at:
        directory = file.directory(at)
        yield directory
        yield from map(file.directory, directory.numbers.get(SUB_DIRECTORIES, ()))
        at = directory.following


def _is_reduced(directory: Directory) -> bool:
    return directory.says(SUBFILE_TYPE, OLD_REDUCED) or bool(_flags(directory) & REDUCED)


def _is_full(directory: Directory) -> bool:
    is_mask = bool(_flags(directory) & MASK)
    return WIDTH in directory.numbers and not is_mask and not _is_reduced(directory)


def _flags(directory: Directory) -> int:
    return directory.number(NEW_SUBFILE_TYPE, 0)
