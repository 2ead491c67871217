"""Write into docs/picture-depths.md which TIFFs and PNGs are read, and how near they come out."""

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from scripts.common.errors import CommandError
from scripts.common.options import parse
from scripts.common.paths import ROOT
from scripts.documents.depths.matrix import (
    DEPTHS,
    Outcome,
    png_layouts,
    tiff_layouts,
    try_png,
    try_tiff,
)
from scripts.documents.depths.tiff_files import Packing, SampleFormat, TiffLayout

PAGE = ROOT / "docs" / "picture-depths.md"
BEGIN, END = "<!-- depths: make depths -->", "<!-- end of depths -->"
# How the table says what is left out.
SHORT_NAMES = {Packing.PLANES: "P", Packing.LOW_BIT_FIRST: "L"}

TriedTiff = tuple[TiffLayout, Outcome]


def tables(depths: Collection[int] = DEPTHS) -> str:
    """Return the table of TIFF, tried with so many bits a channel, and that of PNG, in Markdown."""
    return "\n".join((*_tiff_table(depths), "", *_png_table()))


def with_tables(page: str, new: str) -> str:
    """Return a page with other tables between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{new}\n{END}{after}"


def depths(line: Sequence[str]) -> None:
    """Write both tables."""
    parse("depths", "Write into docs/ which kinds of TIFF and PNG are read.", line)
    page = PAGE.read_text(encoding="utf-8")
    if BEGIN not in page or END not in page:
        raise CommandError(f"{PAGE.name} lacks the marks {BEGIN} and {END}")
    PAGE.write_text(with_tables(page, tables()), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


def _tiff_table(depths: Collection[int]) -> Iterator[str]:
    yield f"| TIFF | {' | '.join(form.title for form in SampleFormat)} |"
    yield f"|---{'|---' * len(SampleFormat)}|"
    tried = [(layout, try_tiff(layout)) for layout in tiff_layouts(depths)]
    for (kind, alpha), found in groupby(tried, lambda each: (each[0].kind, each[0].alpha)):
        row = list(found)
        cells = [
            _cell([each for each in row if each[0].sample_format is form]) for form in SampleFormat
        ]
        if any(cells):
            yield f"| {kind.title}{alpha.title} | {' | '.join(cells)} |"


def _cell(tried: Sequence[TriedTiff]) -> str:
    """Return the bits that are read, each with its greatest difference and what is left out."""
    texts = []
    for bits, found in groupby(tried, lambda each: each[0].bits):
        read = [each for each in found if each[1].difference is not None]
        if read:
            texts.append(f"{bits} ({_difference([outcome for _, outcome in read])}{_only(read)})")
    return ", ".join(texts)


def _difference(outcomes: Sequence[Outcome]) -> str:
    return f"{max(outcome.difference or 0 for outcome in outcomes):.1f}".removesuffix(".0")


def _only(read: Sequence[TriedTiff]) -> str:
    orders = {layout.order for layout, _ in read}
    packings = {layout.packing for layout, _ in read}
    if len(orders) * len(packings) != len(read):
        raise CommandError(f"what is read of {read[0][0]} depends on the byte order in odd ways")
    left_out = ["M"] if len(orders) == 1 else []
    left_out += [SHORT_NAMES[packing] for packing in Packing if packing not in packings]
    return f", not {'/'.join(left_out)}" if left_out else ""


def _png_table() -> Iterator[str]:
    yield "| PNG | bits |"
    yield "|---|---|"
    tried = [(layout, try_png(layout)) for layout in png_layouts()]
    for name, found in groupby(tried, lambda each: str(each[0])):
        cells = [f"{layout.bits} ({_difference([outcome])})" for layout, outcome in found]
        yield f"| {name} | {', '.join(cells)} |"
