"""No kind and depth is wrong: it comes out within two levels, or is refused by its name."""

from collections import Counter

import pytest

from scripts.documents.depths.matrix import (
    Outcome,
    png_layouts,
    tiff_layouts,
    try_png,
    try_tiff,
)
from scripts.documents.depths.tiff_files import SampleFormat, TiffLayout

LEVELS = 2.0
# Those that anything is read of, and some others; `make depths` tries all 64.
DEPTHS = (1, 2, 3, 4, 8, 10, 12, 14, 16, 24, 32, 64)


@pytest.fixture(scope="module")
def tiffs() -> list[tuple[TiffLayout, Outcome]]:
    return [(layout, try_tiff(layout)) for layout in tiff_layouts(DEPTHS)]


def test_every_tiff_is_right_or_refused(tiffs: list[tuple[TiffLayout, Outcome]]) -> None:
    wrong = [each for each in tiffs if (each[1].difference or 0) > LEVELS]

    assert wrong == []
    assert Counter(outcome.difference is None for _, outcome in tiffs)[False] > 200


def test_a_refusal_names_the_kind(tiffs: list[tuple[TiffLayout, Outcome]]) -> None:
    formats = {SampleFormat.SIGNED: "signed", SampleFormat.FLOAT: "floating-point"}

    for layout, outcome in tiffs:
        if outcome.difference is None:
            assert f"{layout.bits}-bit" in outcome.detail
            assert layout.kind.title.partition(",")[0] in outcome.detail
            assert formats.get(layout.sample_format, "") in outcome.detail
            assert ("alpha" in layout.alpha.title) == ("alpha" in outcome.detail)


def test_every_png_is_right() -> None:
    tried = [(layout, try_png(layout)) for layout in png_layouts()]

    assert [each for each in tried if each[1].difference is None or each[1].difference > 1] == []
    assert len(tried) == 26
