"""The page offers what the contract offers, and takes nothing from elsewhere."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from u2net_cutout.contract.formats import OutputFormat
from u2net_cutout.contract.option_values import parse_position
from u2net_cutout.contract.options import OPTIONS, SIZES, Channels, Edges, read_options
from u2net_cutout.pipeline.placement import place
from u2net_cutout.pipeline.request import BACKGROUND_FIELD

WEB = Path(__file__).resolve().parents[2] / "deploy" / "web"
FILES = sorted(file for file in WEB.iterdir() if file.is_file())


# Other words for sizes that the page has already.
SAME_SIZES = {"full", "small", "regular"}


class OptionsForm(HTMLParser):
    """Names of the fields of the form of options, and the values that the choices have."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = False
        self.fields: dict[str, set[str]] = {}
        self.field = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = attributes.get("id") == "options"
        elif self.inside and tag in ("input", "select"):
            self.field = attributes.get("name", "")
            self.fields.setdefault(self.field, set())
        if self.inside and (tag == "option" or attributes.get("type") == "radio"):
            self.fields[self.field].add(attributes["value"])

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "form"


@pytest.fixture(scope="module")
def fields() -> dict[str, set[str]]:
    form = OptionsForm()
    form.feed((WEB / "index.html").read_text(encoding="utf-8"))
    return form.fields


def test_every_option_of_the_contract_is_offered(fields: dict[str, set[str]]) -> None:
    assert {*(option.name for option in OPTIONS), BACKGROUND_FIELD} <= set(fields)


def test_choices_are_those_of_the_contract(fields: dict[str, set[str]]) -> None:
    assert fields["format"] == {each.value for each in OutputFormat}
    assert fields["channels"] == {each.value for each in Channels}
    assert fields["edges"] == {each.value for each in Edges}
    assert fields["size"] == set(SIZES) - SAME_SIZES
    for text in fields["position"] - {""}:
        parse_position(text)


def run_script(tmp_path: Path, script: str) -> Any:
    """What a script prints as JSON that has the page's modules beside it, in no browser."""
    for file in WEB.glob("*.js"):
        shutil.copy(file, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "script.js").write_text(script)
    command = ["node", str(tmp_path / "script.js")]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@needs_node
def test_more_than_a_zip_holds_is_told(tmp_path: Path) -> None:
    script = """
        import { ZipError, zipOf } from "./zip.js";
        const wordsOf = (files) =>
          zipOf(files).catch((error) => [error instanceof ZipError, error.message]);
        const large = ["a.png", "b.png"].map((name) => ({ name, blob: { size: 3e9 } }));
        const many = Array.from({ length: 65536 }, (_, name) => ({ name, blob: new Blob([]) }));
        console.log(JSON.stringify([await wordsOf(large), await wordsOf(many)]));
    """

    large, many = run_script(tmp_path, script)

    assert large[0] is True
    assert large[1].startswith("More than 4 GiB don't fit into one zip")
    assert many == [True, "More than 65,535 files don't fit into one zip."]


@needs_node
def test_a_picture_that_is_removed_or_can_not_be_read_is_not_sent(tmp_path: Path) -> None:
    script = """
        import { cutOut } from "./cutout_request.js";
        const sent = [];
        globalThis.XMLHttpRequest = class { constructor() { sent.push(this); } };
        const removed = new AbortController();
        const during = { slice: () => ({ arrayBuffer: async () => removed.abort() }) };
        const folder = { slice: () => ({ arrayBuffer: async () => { throw new Error("no"); } }) };
        const end = (file, signal) =>
          cutOut(file, new FormData(), "key", signal, () => {}).catch((error) => error);
        const aborted = await end(during, removed.signal);
        const refused = await end(folder, new AbortController().signal);
        console.log(JSON.stringify([aborted.name, refused.message, sent.length]));
    """

    name, message, sent = run_script(tmp_path, script)

    assert (name, sent) == ("AbortError", 0)
    assert message.startswith("This file can't be read.")


@needs_node
def test_a_refusal_says_whom_it_concerns_and_whether_it_may_pass(tmp_path: Path) -> None:
    script = """
        import { Refusal } from "./cutout_request.js";
        const kinds = [[0, ""], [403, "auth_failed"], [429, "rate_limit_exceeded"], [502, ""],
          [503, "overloaded"], [503, "unavailable"], [504, "timeout"], [500, "internal_error"],
          [400, "invalid_scale"], [400, "invalid_form"], [415, "invalid_file_type"], [413, ""]];
        const told = kinds.map(([status, code]) => new Refusal(status, code, ""));
        const words = ({ cause, concernsAll, mayPass }) => [cause, concernsAll, mayPass];
        console.log(JSON.stringify(told.map(words)));
    """

    assert run_script(tmp_path, script) == [
        *(
            [cause, True, True]
            for cause in ("away", "key", "rate", "unavailable", "full", "unavailable")
        ),
        *([cause, False, True] for cause in ("timeout", "server", "options")),
        *(["photo", False, False] for _ in range(3)),
    ]


@needs_node
def test_the_frame_that_is_shown_is_that_of_the_response(tmp_path: Path) -> None:
    size, subject = (400, 300), (40, 30, 240, 130)
    cases = [
        {
            name: value
            for name, value in (("crop_margin", margin), ("scale", scale), ("position", position))
            if value
        }
        for margin in (None, "0px", "12%", "30px")
        for scale in (None, "40%")
        for position in (None, "0% 100%", "50% 50%")
    ]
    script = f"""
        import {{ frameOf }} from "./frame.js";
        const subject = {{ left: 40, top: 30, width: 200, height: 100 }};
        const frames = {json.dumps(cases)}.map((case_) => {{
          const fields = new Map(Object.entries(case_));
          if (fields.has("crop_margin")) fields.set("crop", "true");
          const {{ canvas, target }} = frameOf({{ width: 400, height: 300 }}, subject, fields);
          const [left, top] = [target.left - canvas.left, target.top - canvas.top];
          const edges = [left, top, left + target.width, top + target.height];
          return [[canvas.width, canvas.height], edges];
        }});
        console.log(JSON.stringify(frames));
    """

    for case, (canvas, target) in zip(cases, run_script(tmp_path, script), strict=True):
        named = {**case, **({"crop": "true"} if "crop_margin" in case else {})}
        placement = place(size, subject, read_options(named))
        assert tuple(canvas) == placement.canvas
        if {"scale", "position"} & set(case):
            edges = zip(target, placement.target, strict=True)
            assert all(abs(shown - placed) <= 1 for shown, placed in edges)


@needs_node
def test_where_site_data_is_blocked_the_page_goes_on(tmp_path: Path) -> None:
    script = """
        import { keep, recall } from "./key_store.js";
        for (const name of ["localStorage", "sessionStorage"]) {
          Object.defineProperty(globalThis, name, { get() { throw new Error("SecurityError"); } });
        }
        keep("key", true);
        console.log(JSON.stringify(recall()));
    """

    assert run_script(tmp_path, script) == {"key": "", "remembered": False}


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
