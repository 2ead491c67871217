"""The page in a real Chromium, through the real gateway: drop, paste, choose, compare, download."""

import base64
import shutil
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.served.conftest import Gate, Served

CHROMIUM = shutil.which("chromium")
TIMEOUT_MS = 60_000

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Its sandbox needs rights that a container's root does not have.
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, gate: Gate) -> Iterator[Page]:
    """The page with its key filled in; a script's error fails the test."""
    errors: list[object] = []
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    # It hangs an attribute on what it is given, which a method of a list does not take.
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(gate.url)
    page.get_by_label("API key").fill(gate.key())
    page.get_by_label("API key").press("Tab")
    expect(page.get_by_text("The key opens the server.")).to_be_visible()
    yield page
    page.close()
    assert errors == []


def cards(page: Page, state: str, count: int) -> Locator:
    """Wait until so many pictures are in a state."""
    found = page.locator(f".card[data-state={state}]")
    expect(found).to_have_count(count, timeout=TIMEOUT_MS)
    return found


def hand_over(page: Page, event: str, photo: Path) -> None:
    """Drop or paste a file, as the browser tells the page of it."""
    page.evaluate(
        """([event, name, base64]) => {
          const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], name));
          const how = { bubbles: true, cancelable: true };
          document.body.dispatchEvent(event === "paste"
            ? new ClipboardEvent(event, { ...how, clipboardData: data })
            : new DragEvent(event, { ...how, dataTransfer: data }));
        }""",
        [event, photo.name, base64.b64encode(photo.read_bytes()).decode()],
    )


def downloaded(page: Page, link: Locator) -> tuple[str, bytes]:
    with page.expect_download() as download:
        link.click()
    return download.value.suggested_filename, download.value.path().read_bytes()


def pixels(file: bytes) -> Image.Image:
    with Image.open(BytesIO(file)) as picture:
        return picture.convert("RGBA")


def asked_directly(served: Served, photo: Path, **fields: str) -> Image.Image:
    answer = served.ask(files={"image_file": photo.read_bytes()}, data={"format": "png", **fields})
    assert answer.status_code == 200, answer.text
    return pixels(answer.content)


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_picture_that_is_handed_over_comes_back_as_its_cutout(
    page: Page, served: Served, photo_files: list[Path], event: str
) -> None:
    hand_over(page, event, photo_files[1])

    card = cards(page, "done", 1)
    name, file = downloaded(page, card.get_by_role("link", name="Download"))

    assert name == "chelsea-cutout.png"
    expected = asked_directly(served, photo_files[1])
    assert not ImageChops.difference(pixels(file), expected).getbbox(alpha_only=False)


def test_options_are_asked_for(page: Page, served: Served, photo_files: list[Path]) -> None:
    page.get_by_text("More options").click()
    page.get_by_label("crop to the subject").check()
    page.get_by_label("Margin around the crop").fill("10%")
    page.get_by_label("Background colour").fill("ff8800")
    page.get_by_label("Edges").select_option("plain")

    page.locator("#files").set_input_files(photo_files[0])

    _, file = downloaded(page, cards(page, "done", 1).get_by_role("link", name="Download"))
    asked = {"crop": "true", "crop_margin": "10%", "bg_color": "ff8800", "edges": "plain"}
    expected = asked_directly(served, photo_files[0], **asked)
    assert not ImageChops.difference(pixels(file), expected).getbbox(alpha_only=False)


def test_many_pictures_at_once_are_one_zip_and_errors_are_words(
    page: Page, photo_files: list[Path], tmp_path: Path
) -> None:
    no_picture = tmp_path / "letter.txt"
    no_picture.write_text("Dear reader")

    page.locator("#files").set_input_files([*photo_files[:2], photo_files[0], no_picture])
    cards(page, "done", 3)
    failed = cards(page, "failed", 1)
    _, file = downloaded(page, page.get_by_role("button", name="Download all (zip)"))

    expect(failed).to_contain_text("Not a picture in a supported format")
    expect(page.locator("#count")).to_have_text("3 of 4 done, 1 failed")
    with zipfile.ZipFile(BytesIO(file)) as members:
        assert members.testzip() is None
        assert members.namelist() == [
            "astronaut-cutout.png",
            "chelsea-cutout.png",
            "astronaut-cutout (2).png",
        ]


def test_picture_and_cutout_are_compared_by_the_keyboard(
    page: Page, photo_files: list[Path]
) -> None:
    page.locator("#files").set_input_files(photo_files[1])
    card = cards(page, "done", 1)

    wipe = card.get_by_label("Compare: left the picture, right the cutout")
    wipe.focus()
    wipe.press("Home")
    wipe.press("ArrowRight")

    expect(wipe).to_have_attribute("aria-valuetext", "1 % picture, 99 % cutout")
    expect(card.locator(".stage")).to_have_attribute("style", "--wipe: 1%;")


def test_options_that_changed_are_applied_to_all(page: Page, photo_files: list[Path]) -> None:
    page.locator("#files").set_input_files(photo_files[1])
    cards(page, "done", 1)

    page.get_by_label("Format").select_option("webp")
    page.get_by_role("button", name="Cut all out again").click()

    expect(page.get_by_label("Download chelsea-cutout.webp")).to_be_visible()


def test_a_wrong_key_is_told(page: Page, photo_files: list[Path]) -> None:
    page.get_by_label("API key").fill("wrong")
    page.get_by_label("API key").press("Tab")
    expect(page.get_by_text("The server does not know this key.")).to_be_visible()

    page.locator("#files").set_input_files(photo_files[1])

    expect(cards(page, "failed", 1)).to_contain_text("Unknown API key")


def test_without_a_key_it_is_asked_for(page: Page, photo_files: list[Path]) -> None:
    page.get_by_label("API key").fill("")

    page.locator("#files").set_input_files(photo_files[1])

    expect(page.get_by_text("A key is needed first")).to_be_visible()
    expect(page.locator(".card")).to_have_count(0)


def test_a_file_that_has_changed_since_is_told(
    page: Page, photo_files: list[Path], tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(photo_files[1].read_bytes())
    page.locator("#files").set_input_files(photo)
    cards(page, "done", 1)

    photo.write_bytes(photo_files[0].read_bytes())
    page.get_by_role("button", name="Cut all out again").click()

    expect(cards(page, "failed", 1)).to_contain_text("This file can't be read.")


def test_a_removed_picture_is_gone_and_the_focus_at_the_next(
    page: Page, photo_files: list[Path]
) -> None:
    for photo in photo_files[:2]:
        hand_over(page, "drop", photo)
    removes = cards(page, "done", 2).get_by_role("button", name="Remove")

    removes.first.press("Enter")
    expect(page.locator(".card")).to_have_count(1)
    expect(removes).to_be_focused()
    removes.press("Enter")

    expect(page.locator(".card")).to_have_count(0)
    expect(page.locator("#pick")).to_be_focused()
    expect(page.locator("#results")).to_be_hidden()
