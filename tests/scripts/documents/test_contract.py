import json

from scripts.documents.contract import OPENAPI, PAGE, openapi, with_table
from u2net_cutout.contract.options import OPTIONS, CutoutOptions


def test_the_page_has_todays_table_of_options() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert with_table(page) == page


def test_the_openapi_description_is_todays() -> None:
    assert json.loads(OPENAPI.read_text(encoding="utf-8")) == openapi()


def test_every_option_is_in_the_table_once() -> None:
    names = [option.name for option in OPTIONS]

    assert sorted(names) == sorted(CutoutOptions.__dataclass_fields__)
