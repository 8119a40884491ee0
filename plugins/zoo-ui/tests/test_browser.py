"""The page in a browser; ZOO_SCREENSHOTS=FOLDER keeps pictures of it, for the documentation."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from zoo_ui.app import build_app
from zoo_ui.command import HOST, listen

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
EMOJI = Path(__file__).parents[3] / "examples" / "emoji"
DONE = '#status:text-is("Done.")'
PATIENCE = 120_000
"""Milliseconds that a busy machine may take."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    listening = listen(0)
    server = uvicorn.Server(
        uvicorn.Config(build_app(device="cpu"), log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://{HOST}:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_api.sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(
                executable_path=path, args=["--no-sandbox"], timeout=PATIENCE
            )
        except sync_api.Error as fault:
            pytest.skip(f"there is no Chromium: {str(fault).splitlines()[0]}")
        yield found
        found.close()


def opened(browser: Any, address: str) -> Any:
    page = browser.new_page(viewport={"width": 1080, "height": 900})
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.wait_for_selector('[data-model="stargan-emoji"][aria-checked="true"]')
    return page


def drop(page: Any, *files: Path) -> None:
    page.set_input_files("#files", [str(file) for file in files])
    page.wait_for_selector(DONE)


def keep(shot: bytes, name: str) -> None:
    if folder := os.environ.get("ZOO_SCREENSHOTS"):
        (Path(folder) / name).write_bytes(shot)


def test_dropped_pictures_are_shown_before_and_after_and_can_be_kept(
    browser: Any, address: str, tmp_path: Path
) -> None:
    page = opened(browser, address)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    keep(page.screenshot(), "ui-models.png")
    drop(page, EMOJI / "noto" / "1f433.png", EMOJI / "fluent" / "1f349.png")
    assert page.locator("figure.before").count() == 2
    after = page.locator("figure.after")
    assert (
        after.locator("span").all_text_contents() == ["noto", "twemoji", "openmoji", "fluent"] * 2
    )
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    with page.expect_download() as download:
        after.locator("a").first.click()
    assert download.value.suggested_filename == "1f349_noto.png"
    page.locator("#results").scroll_into_view_if_needed()
    keep(page.locator("#results").screenshot(), "ui-results.png")
    own = (address, f"blob:{address}")
    assert asked
    assert not [url for url in asked if not url.startswith(own)]
    page.close()


def test_another_model_and_target_are_chosen_by_a_click(browser: Any, address: str) -> None:
    page = opened(browser, address)
    page.click('[data-model="stargan-emoji-64"]')
    page.click('#targets button:has-text("noto")')
    page.click('#targets button:has-text("openmoji")')
    drop(page, EMOJI / "noto" / "1f433.png")
    assert page.locator("figure.after span").all_text_contents() == ["twemoji"]
    page.close()


def test_a_wrong_file_is_answered_by_a_sentence_and_the_others_are_done(
    browser: Any, address: str, tmp_path: Path
) -> None:
    letter = tmp_path / "letter.png"
    letter.write_text("Dear Sir")
    page = opened(browser, address)
    page.click('[data-model="stargan-emoji-64"]')
    drop(page, letter, EMOJI / "noto" / "1f433.png")
    said = page.locator("[role=alert]").all_text_contents()
    assert len(said) == 1
    assert "letter.png" in said[0]
    assert page.locator("figure.after").count() == 3
    page.close()


def test_two_users_at_once_are_served(browser: Any, address: str) -> None:
    pages = [opened(browser, address) for _ in range(2)]
    for page, name in zip(pages, ("1f433", "1f349"), strict=True):
        page.click('[data-model="stargan-emoji-64"]')
        page.set_input_files("#files", str(EMOJI / "noto" / f"{name}.png"))
    for page, name in zip(pages, ("1f433", "1f349"), strict=True):
        page.wait_for_selector(DONE)
        assert page.locator("h3").all_text_contents() == [f"{name}.png"]
        assert page.locator("figure.after").count() == 3
        page.close()
