"""The page in a real Chromium, through the real gateway: photos in, options, results, outages."""

import base64
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageChops
from playwright.sync_api import (
    Browser,
    Locator,
    Page,
    Route,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.served.conftest import Gate, Served

CHROMIUM = shutil.which("chromium")
TIMEOUT_MS = 60_000
PHONE: ViewportSize = {"width": 390, "height": 844}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=TIMEOUT_MS)  # a busy machine may take longer than the usual 5 s
    with sync_playwright() as playwright:
        # Its sandbox needs rights that a container's root does not have.
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def key(gate: Gate) -> str:
    return gate.key()


@pytest.fixture
def first_visit(browser: Browser, gate: Gate) -> Iterator[Page]:
    """The page as a new browser shows it; a script's error fails the test."""
    errors: list[object] = []
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    # It hangs an attribute on what it is given, which a method of a list does not take.
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(gate.url)
    yield page
    page.context.close()
    assert errors == []


@pytest.fixture
def page(first_visit: Page, key: str) -> Page:
    """The page with its key accepted."""
    enter(first_visit, key)
    expect(first_visit.get_by_role("button", name="API key: accepted")).to_be_visible()
    return first_visit


def enter(page: Page, key: str) -> None:
    page.get_by_role("textbox", name="API key").fill(key)
    page.get_by_role("button", name="Use this key").click()


def choose(page: Page, *files: Path) -> None:
    page.locator("#files").set_input_files(files)


def cards(page: Page, state: str, count: int) -> Locator:
    """Wait until so many photos are in a state."""
    found = page.locator(f".card[data-state={state}]")
    expect(found).to_have_count(count)
    return found


def option(page: Page, label: str) -> Locator:
    return page.locator("#panel").get_by_label(label, exact=True)


def update(page: Page) -> None:
    page.locator("#panel").get_by_role("button", name="Update").click()


def held(page: Page, address: str) -> list[Route]:
    """Hold back what is sent to an address from now on: return the list of it, which grows."""
    routes: list[Route] = []
    # Not the method itself, see first_visit.
    page.route(address, lambda route: routes.append(route))
    return routes


def intercepted(page: Page, routes: list[Route], count: int) -> None:
    """Wait until so many requests are held back: a page sends them after it shows that it will."""
    for _ in range(600):
        if len(routes) >= count:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{len(routes)} of {count} requests were sent")


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


def result(page: Page, card: Locator) -> tuple[str, bytes]:
    return downloaded(page, card.get_by_role("link", name="Download"))


def pixels(file: bytes) -> Image.Image:
    with Image.open(BytesIO(file)) as picture:
        return picture.convert("RGBA")


def assert_same(file: bytes, expected: bytes) -> None:
    assert not ImageChops.difference(pixels(file), pixels(expected)).getbbox(alpha_only=False)


def asked_directly(
    served: Served, photo: Path, *background: Path, model: str = "u2netp", **fields: str
) -> bytes:
    files = {"image_file": photo.read_bytes()}
    for picture in background:
        files["bg_image_file"] = picture.read_bytes()
    answer = served.ask(model, files=files, data={"format": "png", **fields})
    assert answer.status_code == 200, answer.text
    return answer.content


def test_photos_that_are_dropped_or_pasted_come_back_as_cutouts(
    page: Page, served: Served, photo_files: list[Path]
) -> None:
    hand_over(page, "drop", photo_files[1])
    hand_over(page, "paste", photo_files[2])

    for card, photo in zip(cards(page, "done", 2).all(), photo_files[1:3], strict=True):
        name, file = result(page, card)
        assert name == f"{photo.stem}-cutout.png"
        assert_same(file, asked_directly(served, photo))


def test_on_a_phone_a_sample_is_in_view_and_options_are_a_sheet(
    page: Page, first_visit: Page
) -> None:
    page.set_viewport_size(PHONE)
    expect(page.locator("#results")).to_be_hidden()

    page.get_by_role("button", name="Cup of coffee").click()

    card = cards(page, "done", 1)
    expect(card.locator(".stage")).to_be_in_viewport(ratio=1)
    # The large area is a bar now.
    assert page.locator(".drop").bounding_box()["height"] < 80  # type: ignore[index]
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_role("button", name="Options", exact=True).click()
    assert page.locator("#panel").evaluate("(panel) => panel.matches(':modal')")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Options", exact=True)).to_be_focused()


def test_photos_wait_for_the_key(first_visit: Page, key: str, photo_files: list[Path]) -> None:
    page = first_visit
    expect(page.get_by_text("The person who runs the server can give you one.")).to_be_visible()
    expect(page.get_by_role("link", name="API", exact=True)).to_have_attribute("href", "api/")

    expect(page.get_by_role("button", name="API key: missing")).to_be_visible()
    choose(page, photo_files[1])
    expect(page.get_by_text("1 photo waits for the API key.")).to_be_visible()
    # No header can hold the first; a browser would refuse to send it.
    for wrong in ("wr\N{ZERO WIDTH SPACE}ng", "wrong"):
        enter(page, wrong)
        expect(page.get_by_text("The server does not know this key.")).to_be_visible()
        expect(page.get_by_role("button", name="API key: not accepted")).to_be_visible()
    cards(page, "waiting", 1)
    enter(page, key)

    cards(page, "done", 1)
    expect(page.locator("#access")).to_be_hidden()


def test_the_key_that_was_entered_last_counts(first_visit: Page, key: str) -> None:
    page = first_visit
    checks = held(page, "**/v1.0/account")
    enter(page, "wrong")
    expect(page.get_by_role("button", name="API key: being checked")).to_be_visible()
    page.get_by_role("button", name="API key").click()
    enter(page, key)
    while len(checks) < 2:
        page.wait_for_timeout(50)

    for check in reversed(checks):
        with page.expect_response("**/v1.0/account"):
            check.continue_()
    page.wait_for_timeout(100)

    expect(page.get_by_role("button", name="API key: accepted")).to_be_visible()


def test_options_are_applied_to_the_download(
    page: Page, served: Served, photo_files: list[Path]
) -> None:
    page.get_by_role("button", name="Options", exact=True).click()
    option(page, "Crop to the subject").check()
    option(page, "Margin around the subject").fill("10")
    page.locator("#panel").get_by_text("Colour", exact=True).first.click()
    page.locator("#bg_color").fill("#f80")
    option(page, "Position of the subject").select_option("Top left")
    page.get_by_role("radio", name="Unchanged colours").check()
    choose(page, photo_files[0])
    card = cards(page, "done", 1)
    asked = {"crop": "true", "crop_margin": "10%", "bg_color": "f80"}
    asked |= {"position": "0% 0%", "edges": "plain"}
    assert_same(result(page, card)[1], asked_directly(served, photo_files[0], **asked))

    page.locator("#panel").get_by_text("Picture", exact=True).click()
    page.locator("#bg_image_file").set_input_files(photo_files[1])
    option(page, "Crop to the subject").uncheck()
    option(page, "Position of the subject").select_option("As in the photo")
    option(page, "Format").select_option("webp")
    option(page, "Model").select_option("U²-Net: for most photos")
    expect(card.get_by_text("Outdated")).to_be_visible()
    update(page)

    expect(card.get_by_text("Outdated")).to_be_hidden()
    name, file = result(page, card)
    assert name == "astronaut-cutout.webp"
    expected = asked_directly(served, *photo_files[:2], model="u2net", edges="plain")
    assert_same(file, expected)


def test_a_model_is_remembered_and_used_before_the_server_has_listed_it(
    page: Page, photo_files: list[Path]
) -> None:
    page.get_by_role("button", name="Options", exact=True).click()
    option(page, "Model").select_option("U²-Net: for most photos")
    listing = held(page, "**/healthz")

    page.reload()
    with page.expect_request("**/u2net/v1.0/removebg"):
        choose(page, photo_files[1])

    cards(page, "done", 1)
    listing[0].continue_()
    expect(option(page, "Model")).to_have_value("u2net")
    expect(page.locator(".card").get_by_text("Outdated")).to_be_hidden()


def test_a_model_that_is_gone_fails_no_photo(page: Page, photo_files: list[Path]) -> None:
    gone = page.get_by_text("The server no longer has IS-Net. New results use its default model.")
    # As it was while the model was there.
    before = {"status": "ready", "workers": 1, "model": "u2netp", "models": ["isnet", "u2netp"]}
    page.route("**/healthz", lambda route: route.fulfill(json=before))
    page.reload()
    page.get_by_role("button", name="Options", exact=True).click()
    option(page, "Model").select_option("IS-Net: finest details, slower")

    choose(page, *photo_files[1:3])

    expect(gone).to_be_visible()
    cards(page, "done", 2)
    expect(option(page, "Model")).to_have_value("")

    page.reload()
    option(page, "Model").select_option("IS-Net: finest details, slower")
    expect(page.locator(".card.outdated")).to_have_count(2)
    page.unroute("**/healthz")
    page.reload()
    expect(gone).to_be_visible()
    expect(option(page, "Model")).to_have_value("")
    expect(page.locator(".card.outdated")).to_have_count(0)


def test_crop_and_margin_are_shown_on_the_photo(page: Page, photo_files: list[Path]) -> None:
    choose(page, photo_files[2])
    card = cards(page, "done", 1)
    frame = page.locator("#frame figcaption")
    expect(frame).to_contain_text("600 × 400")

    option(page, "Crop to the subject").check()
    option(page, "Margin around the subject").fill("20")
    option(page, "Unit of the margin").select_option("pixels")
    shown = frame.inner_text().removeprefix("Frame of the result: ").removesuffix(" pixels")
    page.locator("#panel").get_by_text("Colour", exact=True).first.click()
    page.locator("#bg_color").fill("f80")
    assert pixel_count(page.locator("#frame canvas"), (255, 136, 0, 255)) > 1000
    assert shown != "600 × 400"
    update(page)
    cards(page, "done", 1)
    expect(card.locator(".said")).to_contain_text(shown)

    # The search area is drawn with the mouse.
    canvas = page.locator("#frame canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6)
    page.mouse.up()
    assert re.fullmatch(r"(\d+% ?){4}", page.locator("#roi").input_value())


def pixel_count(canvas: Locator, colour: tuple[int, int, int, int]) -> int:
    png = canvas.evaluate("(canvas) => canvas.toDataURL()").partition(",")[2]
    counts = pixels(base64.b64decode(png)).getcolors(1 << 20)
    return next((count for count, found in counts or [] if found == colour), 0)


def test_an_invalid_option_is_shown_at_its_field_and_costs_no_result(
    page: Page, photo_files: list[Path], tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(photo_files[1].read_bytes())
    choose(page, photo)
    card = cards(page, "done", 1)
    page.get_by_text("Advanced", exact=True).click()
    page.locator("#roi").fill("10% 10%")
    page.get_by_text("Advanced", exact=True).click()
    page.locator("#scale").fill("50")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))

    choose(page, photo_files[2])

    expect(page.locator("#roi")).to_be_focused()
    expect(page.locator("#roi")).to_have_accessible_description(re.compile("Enter four lengths"))
    expect(page.get_by_text("1 photo waits until the marked option is corrected.")).to_be_visible()
    assert "POST" not in sent
    expect(card.get_by_role("link", name="Download")).to_be_visible()

    page.locator("#roi").fill("10% 10% 90% 90%")
    cards(page, "done", 2)
    # The file has changed: it can't be sent again, and its result is still there.
    photo.write_bytes(photo_files[0].read_bytes())
    update(page)
    expect(card.first).to_contain_text("Not updated: This file can't be read.")
    expect(card.first.get_by_role("link", name="Download")).to_be_visible()


def test_many_photos_are_one_zip_and_what_failed_is_grouped(
    page: Page, photo_files: list[Path], tmp_path: Path
) -> None:
    no_photo = tmp_path / "letter.txt"
    no_photo.write_text("Dear reader")

    choose(page, *photo_files[:2], photo_files[0], no_photo)
    done = cards(page, "done", 3)
    _, file = downloaded(page, page.get_by_role("button", name="Download all (ZIP)"))

    failures = page.locator("#failures")
    failures.get_by_text("1 photo failed").click()
    expect(failures).to_contain_text("Not a picture in a supported format")
    # Another attempt would end the same.
    expect(failures.get_by_role("button", name="Retry")).to_have_count(0)
    expect(page.locator("#count")).to_have_text("3 of 4 done, 1 failed")
    boxes = [card.bounding_box() for card in done.all()]
    assert len({box and box["height"] for box in boxes}) == 1
    with zipfile.ZipFile(BytesIO(file)) as members:
        assert members.testzip() is None
        assert members.namelist() == [
            "astronaut-cutout.png",
            "chelsea-cutout.png",
            "astronaut-cutout (2).png",
        ]


def test_photo_and_result_are_compared_by_a_handle_also_enlarged(
    page: Page, photo_files: list[Path]
) -> None:
    choose(page, photo_files[1])
    card = cards(page, "done", 1)
    wipe = card.get_by_label("Compare photo and result of chelsea.png")
    box = card.locator(".stage").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, middle[1], steps=3)
    page.mouse.up()
    assert abs(int(wipe.input_value()) - 25) <= 1
    wipe.press("Home")
    wipe.press("ArrowRight")
    expect(wipe).to_have_attribute("aria-valuetext", "1 % photo, 99 % result")
    expect(page.locator("#viewer")).to_be_hidden()

    page.mouse.click(*middle)
    viewer = page.locator("#viewer")
    viewer.get_by_role("button", name="100 %").click()
    expect(viewer.locator("output")).to_have_text("100 %")
    assert viewer.locator(".after").evaluate("(image) => image.clientWidth") == 451
    for _ in range(6):
        page.keyboard.press("+")
    pan = viewer.locator(".pan")
    before = pan.evaluate("(pan) => pan.scrollLeft")
    page.mouse.move(300, 400)
    page.mouse.down()
    page.mouse.move(200, 400, steps=2)
    page.mouse.up()
    assert pan.evaluate("(pan) => pan.scrollLeft") == before + 100
    # The border between photo and result stays under the handle.
    edge = viewer.locator(".stage").evaluate(
        """(stage) => {
          const { left, width } = stage.getBoundingClientRect();
          return left + width * parseFloat(stage.style.getPropertyValue("--wipe")) / 100;
        }"""
    )
    assert abs(edge - 0.5 * pan.evaluate("(pan) => pan.clientWidth")) < 1
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(card.get_by_role("button", name="Enlarge")).to_be_focused()


def test_a_result_is_copied_or_says_that_it_has_no_preview(
    page: Page, photo_files: list[Path]
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose(page, photo_files[1])
    card = cards(page, "done", 1)

    card.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("chelsea-cutout.png is on the clipboard.")).to_be_visible()
    copied = page.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read();
          const { width, height } = await createImageBitmap(await item.getType("image/png"));
          return [width, height];
        }"""
    )
    assert copied == [451, 300]

    option(page, "Format").select_option("zip")
    update(page)
    expect(card.get_by_text("ZIP files have no preview.")).to_be_visible()
    expect(card.locator("img:visible")).to_have_count(0)
    expect(card.get_by_role("button", name="Copy")).to_be_hidden()
    assert result(page, card)[0] == "chelsea-cutout.zip"


def test_only_a_photo_that_was_tried_can_not_be_shown(first_visit: Page, tmp_path: Path) -> None:
    page, no_photo = first_visit, tmp_path / "letter.txt"
    no_photo.write_text("Dear reader")
    decoder = held(page, "**/thumbnail_worker.js")
    page.reload()

    choose(page, no_photo)
    cards(page, "waiting", 1)
    expect(page.locator(".note")).to_have_text("")
    intercepted(page, decoder, 1)
    decoder[0].continue_()

    expect(page.locator(".note")).to_have_text("This browser can't show the photo.")


def test_removing_is_undone_and_a_reload_keeps_what_was_done(
    page: Page, photo_files: list[Path]
) -> None:
    choose(page, *photo_files[1:3])
    option(page, "Format").select_option("webp")
    removes = cards(page, "done", 2).get_by_role("button", name="Remove")

    removes.first.press("Enter")
    expect(page.locator(".card")).to_have_count(1)
    expect(removes).to_be_focused()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".card .name")).to_have_text(["chelsea.png", "coffee.png"])
    while kept(page) < 2:
        page.wait_for_timeout(100)

    page.reload()
    # Its options are kept as well, so that the results are as outdated as before.
    expect(cards(page, "done", 2).get_by_text("Outdated")).to_have_count(2)
    expect(option(page, "Format")).to_have_value("webp")
    expect(page.locator(".card .after")).to_have_count(2)

    page.get_by_role("button", name="Remove all").click()
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    while kept(page) > 0:
        page.wait_for_timeout(100)
    page.reload()
    expect(page.get_by_role("button", name="API key: accepted")).to_be_visible()
    expect(page.locator(".card")).to_have_count(0)


def kept(page: Page) -> int:
    """How many results the browser keeps."""
    return int(
        page.evaluate(
            """() => new Promise((resolve) => {
              const opening = indexedDB.open("cutout", 1);
              opening.addEventListener("success", () => {
                const store = opening.result.transaction("results").objectStore("results");
                const counting = store.count();
                counting.addEventListener("success", () => resolve(counting.result));
              });
            })"""
        )
    )


def test_results_may_be_updated_again_while_photos_are_under_way(
    page: Page, photo_files: list[Path]
) -> None:
    choose(page, *photo_files[1:3])
    cards(page, "done", 2)
    sent = held(page, "**/removebg")
    option(page, "Format").select_option("webp")
    update(page)
    cards(page, "working", 2)
    intercepted(page, sent, 2)
    sent[0].continue_()
    cards(page, "done", 1)

    option(page, "Crop to the subject").check()
    update(page)
    cards(page, "working", 2)
    intercepted(page, sent, 4)
    for route in sent[2:]:
        route.continue_()

    for card in cards(page, "done", 2).all():
        expect(card.get_by_text("Outdated")).to_be_hidden()
        expect(card.locator(".said")).to_have_text(re.compile(r"WEBP, (?!451 × 300|600 × 400)"))
    assert len(sent) == 4


def test_each_outage_has_its_sentence_and_ends_by_itself(
    page: Page, served: Served, photo_files: list[Path]
) -> None:
    banner = page.locator("#outage")
    draining = served.config.draining_file
    draining.touch()
    try:
        choose(page, photo_files[1])
        expect(banner).to_contain_text("The server is starting, stopping or being repaired.")
        cards(page, "waiting", 1)
        tries = held(page, "**/healthz")
        # The page's own try, or that of the click; another click sends no second one meanwhile.
        banner.get_by_role("button", name="Try now").click()
        intercepted(page, tries, 1)
        banner.get_by_role("button", name="Try now").click()
        expect(banner).to_contain_text("Trying now.")
        page.wait_for_timeout(500)
        assert len(tries) == 1
    finally:
        draining.unlink()
    page.unroute("**/healthz")
    cards(page, "done", 1)
    expect(banner).to_be_hidden()

    page.context.set_offline(True)
    choose(page, photo_files[2])
    expect(banner).to_contain_text("This device is offline.")
    page.context.set_offline(False)
    cards(page, "done", 2)

    # As the gateway says it: a queue that stays full for one request can't be arranged.
    full = '{"errors": [{"title": "", "code": "overloaded", "detail": ""}]}'
    page.route("**/removebg", lambda route: route.fulfill(status=503, body=full), times=1)
    choose(page, photo_files[3])
    expect(banner).to_contain_text("The server is busy: too many photos are waiting.")
    cards(page, "done", 3)


def test_axe_finds_nothing_in_any_state(
    first_visit: Page, key: str, photo_files: list[Path], tmp_path: Path
) -> None:
    page = first_visit
    no_photo = tmp_path / "letter.txt"
    no_photo.write_text("Dear reader")
    found: list[str] = []

    def look(state: str) -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            report = Axe().run(page)
            found.extend(f"{state}, {scheme}: {each}" for each in report.response["violations"])

    look("first visit")
    choose(page, photo_files[1], no_photo)
    look("waiting")
    enter(page, key)
    cards(page, "done", 1)
    page.locator("#failures summary").click()
    page.locator("#scale").fill("500")
    page.keyboard.press("Tab")
    look("done, failed, an invalid option")
    assert page.evaluate("document.getAnimations().length") == 0
    page.locator("#scale").fill("50")
    look("outdated")
    page.get_by_role("button", name="Enlarge chelsea.png").press("Enter")
    look("enlarged")
    page.keyboard.press("Escape")
    page.set_viewport_size(PHONE)
    page.get_by_role("button", name="Options", exact=True).click()
    look("sheet")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Remove all").click()
    look("removed")
    assert found == []


def test_a_hundred_results_need_little_memory(browser: Browser, gate: Gate) -> None:
    """Decoded as they are, a hundred of these photos and results take 860 MB."""
    page = browser.new_page()
    page.goto(gate.url)
    expect(page.locator("#pick")).to_be_visible()
    page.evaluate(
        """async () => {
          const canvas = new OffscreenCanvas(1200, 900);
          const context = canvas.getContext("2d");
          context.fillStyle = "teal";
          context.fillRect(200, 200, 900, 600);
          const blob = await canvas.convertToBlob({ type: "image/png" });
          const file = new File([blob], "photo.png");
          const result = { blob, width: 1200, height: 900, signature: "", inPlace: true };
          const opening = indexedDB.open("cutout", 1);
          await new Promise((resolve) => opening.addEventListener("success", resolve));
          const writing = opening.result.transaction("results", "readwrite");
          for (let id = 1; id <= 100; id += 1) {
            writing.objectStore("results").put({ id, file, result, subject: null });
          }
          await new Promise((resolve) => writing.addEventListener("complete", resolve));
        }"""
    )
    before = memory_of_pages(browser)

    page.reload()
    expect(page.locator(".after[src]")).to_have_count(100)
    addresses = page.locator(".after").evaluate_all("(images) => images.map(({ src }) => src)")
    for height in (10_000, 20_000, 0):
        page.mouse.wheel(0, height)
    grown = memory_of_pages(browser) - before
    assert grown < 300e6, grown

    page.get_by_role("button", name="Remove all").click()
    page.get_by_role("button", name="Dismiss").click()
    # An address that was given back shows nothing any more.
    left = """(addresses) => Promise.all(addresses.map((address) => new Promise((resolve) => {
      const image = new Image();
      image.addEventListener("load", () => resolve(true));
      image.addEventListener("error", () => resolve(false));
      image.src = address;
    })))"""
    assert not any(page.evaluate(left, addresses))
    page.context.close()


def memory_of_pages(browser: Browser) -> float:
    """Bytes that the processes of Chromium's pages hold by themselves."""
    total = 0.0
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a page before this one
            if "--type=renderer" in each.cmdline():
                total += each.memory_full_info().uss
    return total
