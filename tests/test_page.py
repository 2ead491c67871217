"""The page offers what the contract offers, and takes nothing from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cutout_options import OPTIONS, SIZES, Channels, Edges
from cutout_request import BACKGROUND_FIELD
from image_encoding import OutputFormat

WEB = Path(__file__).resolve().parents[1] / "deploy" / "web"
FILES = sorted(WEB.iterdir())


class OptionsForm(HTMLParser):
    """Names of the fields of the form of options, and the values that the choices have."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = False
        self.fields: dict[str, list[str]] = {}
        self.field = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = attributes["id"] == "options"
        elif self.inside and tag in ("input", "select"):
            self.field = attributes["name"]
            self.fields[self.field] = []
        elif self.inside and tag == "option":
            self.fields[self.field].append(attributes["value"])

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "form"


@pytest.fixture(scope="module")
def fields() -> dict[str, list[str]]:
    form = OptionsForm()
    form.feed((WEB / "index.html").read_text(encoding="utf-8"))
    return form.fields


def test_every_option_of_the_contract_is_offered(fields: dict[str, list[str]]) -> None:
    assert set(fields) == {*(option.name for option in OPTIONS), BACKGROUND_FIELD}


def test_choices_are_those_of_the_contract(fields: dict[str, list[str]]) -> None:
    assert set(fields["format"]) == {each.value for each in OutputFormat}
    assert set(fields["channels"]) == {each.value for each in Channels}
    assert set(fields["edges"]) == {each.value for each in Edges}
    assert set(fields["size"]) == set(SIZES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_is_taken_from_elsewhere(file: Path) -> None:
    addresses = re.findall(r"https?://[^\s\"'<>)]+", file.read_text(encoding="utf-8"))

    # A namespace's name, and a format's description in a comment: neither is fetched.
    assert set(addresses) <= {
        "http://www.w3.org/2000/svg",
        "https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT",
    }


def test_scripts_and_styles_are_files_so_that_the_policy_can_forbid_all_others() -> None:
    page = (WEB / "index.html").read_text(encoding="utf-8")

    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page)
