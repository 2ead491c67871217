"""The API's page in a real Chromium, from a real nginx: nothing of it comes from elsewhere."""

import json
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from scripts.gateway.config import OPENAPI
from tests.scripts.gateway.conftest import LoneGateway

CHROMIUM = shutil.which("chromium")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_page_shows_every_operation(lone: LoneGateway) -> None:
    operations = list(json.loads(OPENAPI.read_text(encoding="utf-8"))["paths"])
    complaints: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        # Its sandbox needs rights that a container's root does not have.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{lone.public.url}/api")
        expect(page.locator(".opblock")).to_have_count(len(operations), timeout=30_000)
        shown = page.locator(".opblock-summary-path").all_inner_texts()
        page.locator(".opblock", has_text="/v1.0/removebg").first.click()
        expect(page.get_by_text("auth_failed").first).to_be_visible(timeout=30_000)
        browser.close()

    # It puts invisible places for line breaks before each slash.
    assert sorted(path.replace("\u200b", "") for path in shown) == sorted(operations)
    assert {url.startswith((lone.public.url, "data:", "blob:")) for url in asked} == {True}
    assert complaints == []


def test_the_description_is_served_and_allows_no_inline_script(lone: LoneGateway) -> None:
    described = lone.request("/openapi.json")
    page = lone.request("/api/")
    missing = lone.request("/api/swagger-editor.css")

    assert described.json() == json.loads(OPENAPI.read_text(encoding="utf-8"))
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert missing.status_code == 404
    assert missing.headers["X-Error-Code"] == "not_found"
