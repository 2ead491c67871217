import re

import pytest

from tests.conftest import ROOT

DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
PLACEHOLDER = re.compile(r"@[A-Z_]+@|\b(FIGURES|FUZZ|TODO|TBD)\b(?!=)")


@pytest.mark.parametrize("name", sorted(str(file.relative_to(ROOT)) for file in DOCUMENTS))
def test_no_document_waits_for_its_figures(name: str) -> None:
    found = PLACEHOLDER.search((ROOT / name).read_text(encoding="utf-8"))

    assert not found
