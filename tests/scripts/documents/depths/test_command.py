from scripts.documents.depths.command import PAGE, tables, with_tables
from tests.scripts.documents.depths.test_matrix import DEPTHS


def test_the_page_has_todays_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert with_tables(page, tables(DEPTHS)) == page
