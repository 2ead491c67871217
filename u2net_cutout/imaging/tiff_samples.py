"""What a TIFF's samples are, and which of them come out right. Decodes nothing.

Pillow garbles some kinds that it opens, and calls others broken that are sound. What stands here
as read is shown in docs/picture-depths.md, kind by kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from u2net_cutout.imaging.tiff_directory import MAX_NUMBERS, Directory

BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES_PER_PIXEL = 258, 259, 262, 266, 277
PLANAR_CONFIGURATION, INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, SUBSAMPLING = 284, 332, 338, 339, 530

INVERTED, GREY, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
OTHER_INKS = -1  # TIFF's number of them is that of CMYK
KINDS = {
    **{
        INVERTED: "grey with 0 as white",
        GREY: "grey",
        RGB: "RGB",
        PALETTE: "palette",
        CMYK: "CMYK",
        OTHER_INKS: "inks other than CMYK",
    },
    **{YCBCR: "YCbCr", LAB: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab", 32844: "LogL", 32845: "LogLuv"},
}
CHANNELS = {RGB: 3, CMYK: 4, OTHER_INKS: 4, YCBCR: 3, LAB: 3, 9: 3, 10: 3, 32845: 3}

UNSIGNED, FLOAT = 1, 3
FORMATS = {UNSIGNED: "", 2: "signed ", FLOAT: "floating-point ", 4: "untyped "}
UNNAMED, ASSOCIATED, STRAIGHT, COREL_ALPHA = 0, 1, 2, 999
EXTRAS = {UNNAMED: "a further channel", ASSOCIATED: "premultiplied alpha", STRAIGHT: "alpha"}
PLANES, LOW_BIT_FIRST = 2, 2
UNCOMPRESSED, OLD_JPEG = 1, 6
NOT_CMYK = 2

# Bits of a channel that are read, by the kind and what its first further channel is.
Depths = Mapping[tuple[int, int | None], tuple[int, ...]]
READ: Depths = {
    (GREY, None): (1, 2, 4, 8, 12, 16),
    (GREY, UNNAMED): (8,),
    (GREY, STRAIGHT): (8,),
    (INVERTED, None): (1, 2, 4, 8, 16),
    (RGB, None): (8, 16),
    (RGB, UNNAMED): (8, 16),
    (RGB, ASSOCIATED): (8, 16),
    (RGB, STRAIGHT): (8, 16),
    (PALETTE, None): (1, 2, 4, 8),
    (PALETTE, UNNAMED): (8,),
    (PALETTE, STRAIGHT): (8,),
    (CMYK, None): (8, 16),
    (CMYK, UNNAMED): (8,),
    (YCBCR, None): (8,),
    (LAB, None): (8,),
}
IN_PLANES: Depths = {(RGB, None): (8, 16), (RGB, STRAIGHT): (8, 16), (CMYK, None): (8,)}
LOW_BITS_FIRST: Depths = {
    (GREY, None): (1, 2, 4, 8),
    (INVERTED, None): (1, 2, 4),
    (RGB, None): (8,),
    (PALETTE, None): (8,),
}
FLOATS: Depths = {(GREY, None): (32,), (INVERTED, None): (32,)}
NONE: Depths = {}
# Further channels, of which all but the first have no meaning.
MOST_EXTRAS = {(RGB, 8): 3, (CMYK, 8): 2}
LITTLE_ENDIAN_ONLY = ((GREY, 12), (INVERTED, 16))


@dataclass(frozen=True)
class Samples:
    """What a TIFF's directory says of its samples."""

    photometric: int
    bits: tuple[int, ...]
    """Of each channel."""
    formats: tuple[int, ...]
    extras: tuple[int, ...]
    """What the channels are that follow those of the colours."""
    planes: bool
    low_bit_first: bool
    subsampled: bool
    """Uncompressed YCbCr has fewer samples of its colours than of its brightness."""
    little_endian: bool

    @classmethod
    def of(cls, directory: Directory, little_endian: bool) -> "Samples":
        """Read them, with TIFF's defaults for absent tags."""
        compression = directory.number(COMPRESSION, UNCOMPRESSED)
        photometric = YCBCR if compression == OLD_JPEG else directory.number(PHOTOMETRIC, INVERTED)
        if photometric == CMYK and directory.says(INK_SET, NOT_CMYK):
            photometric = OTHER_INKS
        count = max(1, directory.number(SAMPLES_PER_PIXEL, 3 if compression == OLD_JPEG else 1))
        bits = directory.numbers.get(BITS, (1,))[:count]
        extras = directory.numbers.get(EXTRA_SAMPLES, ())
        if (photometric, count, extras) in ((RGB, 4, ()), (RGB, 4, (COREL_ALPHA,))):
            extras = (STRAIGHT,)  # some writers forget to say so, or say it in their own way
        halved = directory.numbers.get(SUBSAMPLING) != (1, 1)
        return cls(
            photometric,
            bits * min(count, MAX_NUMBERS) if len(bits) == 1 else bits,
            directory.numbers.get(SAMPLE_FORMAT, (UNSIGNED,)),
            extras,
            directory.says(PLANAR_CONFIGURATION, PLANES) and count > 1,
            directory.says(FILL_ORDER, LOW_BIT_FIRST),
            photometric == YCBCR and compression == UNCOMPRESSED and halved,
            little_endian,
        )

    @property
    def readable(self) -> bool:
        """Whether a picture of such samples comes out right."""
        bits, kind = self.bits[0], (self.photometric, self.extras[0] if self.extras else None)
        tables = [{UNSIGNED: READ, FLOAT: FLOATS}.get(self.formats[0], NONE)]
        tables += [IN_PLANES] if self.planes else []
        tables += [LOW_BITS_FIRST] if self.low_bit_first else []
        return (
            {bits} == set(self.bits)
            and len({*self.formats}) == 1
            and self._unexplained == 0
            and not any(self.extras[1:])
            and len(self.extras) <= MOST_EXTRAS.get((self.photometric, bits), 1)
            and all(bits in table.get(kind, ()) for table in tables)
            and not self._is_other_way_round
            and not self.subsampled
        )

    @property
    def _unexplained(self) -> int:
        return len(self.bits) - CHANNELS.get(self.photometric, 1) - len(self.extras)

    @property
    def _is_other_way_round(self) -> bool:
        return not self.little_endian and (self.photometric, self.bits[0]) in LITTLE_ENDIAN_ONLY

    def __str__(self) -> str:
        depth = "- and ".join(str(bits) for bits in sorted({*self.bits}))
        samples = FORMATS.get(self.formats[0], "complex ")
        colours = KINDS.get(
            self.photometric, f"samples of photometric interpretation {self.photometric}"
        )
        further = [EXTRAS.get(extra, "a channel of its own") for extra in self.extras]
        if self._unexplained or len(self.extras) > 1:
            further = [f"{len(self.bits)} channels"]
        how = [
            *([f"with {further[0]}"] if further else []),
            *(["in planes"] if self.planes else []),
            *(["with the lowest bit first"] if self.low_bit_first else []),
            *(["subsampled and uncompressed"] if self.subsampled else []),
            *(["in big-endian byte order"] if self._is_other_way_round else []),
        ]
        return " ".join([f"{depth}-bit {samples}{colours}", ", ".join(how)]).strip()
