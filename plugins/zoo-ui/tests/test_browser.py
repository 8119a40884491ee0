"""The page in a browser; ZOO_SCREENSHOTS=FOLDER keeps pictures of it, for the documentation."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from PIL import Image

from zoo_testing.photos import photo
from zoo_train.logs import stats_path
from zoo_ui.app import build_app
from zoo_ui.command import HOST, listen

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
EMOJI = Path(__file__).parents[3] / "examples" / "emoji"
DONE = '#status:text-is("Done.")'
DRAWN = "[...document.querySelectorAll('#results img')].every(i => i.complete && i.naturalWidth)"
PATIENCE = 120_000
"""Milliseconds that a busy machine may take."""

pytestmark = pytest.mark.slow


@contextmanager
def serving(*directories: Path, runs: Path | None = None) -> Iterator[str]:
    """The address of a page that offers some directories, too, and follows some runs."""
    listening = listen(0)
    app = build_app([str(path) for path in directories], device="cpu", runs=runs)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://{HOST}:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving() as address:
        yield address


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


def opened(browser: Any, address: str, **options: Any) -> Any:
    page = browser.new_page(**{"viewport": {"width": 1080, "height": 900}} | options)
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.wait_for_selector(".chip")
    return page


def choose(page: Any, model: str = "stargan-emoji-64", target: str = "openmoji") -> None:
    page.locator(f'.model:has(b:text-is("{model}"))').click()
    page.wait_for_selector(f'.chip:has-text("{target}")')


def drop(page: Any, *files: Path) -> None:
    page.set_input_files("#files", [str(file) for file in files])
    page.wait_for_selector(DONE)


def until(page: Any, expression: str) -> None:
    """Waits; the page's policy forbids what playwright has for it."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.02)


def titles(page: Any) -> list[str]:
    found: list[str] = page.locator("figure.after span").all_text_contents()
    return found


def keep(shot: bytes, name: str) -> None:
    if folder := os.environ.get("ZOO_SCREENSHOTS"):
        (Path(folder) / name).write_bytes(shot)


def test_pictures_become_all_domains_side_by_side(browser: Any, address: str) -> None:
    page = opened(browser, address)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    keep(page.screenshot(), "ui-models.png")
    drop(page, EMOJI / "noto" / "1f433.png", EMOJI / "fluent" / "1f349.png")
    assert page.locator("figure.before").count() == 2
    assert titles(page) == ["noto", "twemoji", "openmoji", "fluent"] * 2
    until(page, DRAWN)
    keep(page.locator("#results").screenshot(), "ui-results.png")
    own = (address, f"blob:{address}")
    assert asked
    assert not [url for url in asked if not url.startswith(own)]
    page.close()


def test_one_result_and_all_of_them_can_be_kept(browser: Any, address: str, tmp_path: Path) -> None:
    page = opened(browser, address)
    choose(page)
    drop(page, EMOJI / "noto" / "1f433.png")
    with page.expect_download() as one:
        page.locator("figure.after a").first.click()
    with page.expect_download() as everything:
        page.click("#all")
    everything.value.save_as(tmp_path / "all.zip")
    assert one.value.suggested_filename == "1f433_noto.png"
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.namelist() == [f"1f433_{n}.png" for n in ("noto", "openmoji", "twemoji")]
        assert archive.read("1f433_noto.png") == Path(one.value.path()).read_bytes()
    page.close()


def test_a_wipe_goes_from_before_to_after(browser: Any, address: str) -> None:
    page = opened(browser, address)
    choose(page)
    drop(page, EMOJI / "noto" / "1f433.png")
    page.locator("figure.after .face").nth(1).click()
    assert page.locator("#view-title").text_content() == "1f433.png → openmoji"
    page.locator("#position").focus()
    page.keyboard.press("Home")
    assert page.evaluate("getComputedStyle(before).clipPath") == "inset(0px 100% 0px 0px)"
    page.keyboard.press("Escape")
    assert not page.locator("#view").is_visible()
    page.close()


def test_hidden_information_is_looked_for_on_the_way_back(
    browser: Any, address: str, digit: Path
) -> None:
    page = opened(browser, address, viewport={"width": 1080, "height": 1000})
    page.click("#more")
    choose(page, "cyclegan-mnist-mnistm", "mnistm")
    page.click('.chip:has-text("mnistm")')
    drop(page, digit)
    page.click("figure.after .face")
    page.click("#lens")
    page.wait_for_selector('#lens-said:has-text("of 255 shades")')
    assert page.locator("#lens-out figure").count() == 4
    until(page, "[...document.querySelectorAll('#lens-out img')].every(i => i.naturalWidth)")
    keep(page.screenshot(), "ui-lens.png")
    page.close()


def test_a_way_back_to_one_of_many_domains_is_asked_for(browser: Any, address: str) -> None:
    page = opened(browser, address)
    choose(page)
    drop(page, EMOJI / "noto" / "1f433.png")
    page.locator("figure.after .face").nth(1).click()
    page.click("#lens")
    page.wait_for_selector('#lens-said:has-text("Say what the picture is now")')
    page.select_option("#lens-source", "noto")
    page.click("#lens")
    page.wait_for_selector('#lens-said:has-text("of 255 shades")')
    page.close()


def test_another_model_and_fewer_domains_are_chosen_by_a_click(browser: Any, address: str) -> None:
    page = opened(browser, address)
    choose(page)
    page.click('.chip:has-text("noto")')
    page.click('.chip:has-text("openmoji")')
    drop(page, EMOJI / "noto" / "1f433.png")
    assert titles(page) == ["twemoji"]
    page.click('.chip:has-text("twemoji")')
    page.click("#again")
    assert "Choose what" in page.locator("#status").text_content()
    page.click('.chip:has-text("noto")')
    page.click("#again")
    until(page, "document.querySelectorAll('figure.after').length == 2")
    page.close()


def test_without_a_picture_an_example_is_tried(browser: Any, address: str) -> None:
    page = opened(browser, address)
    choose(page)
    page.click("#example")
    page.wait_for_selector(DONE)
    assert titles(page) == ["noto", "openmoji", "twemoji"]
    page.close()


def test_files_are_taken_wherever_they_are_dropped(browser: Any, address: str) -> None:
    page = opened(browser, address)
    choose(page)
    page.evaluate(
        """async () => {
            const data = new DataTransfer();
            const blob = await (await fetch("example?model=stargan-emoji-64")).blob();
            data.items.add(new File([blob], "one.png", { type: "image/png" }));
            for (let time = 0; time < 2; time++)
                document.body.dispatchEvent(new DragEvent("drop",
                    { dataTransfer: data, bubbles: true, cancelable: true }));
        }"""
    )
    until(page, "document.querySelectorAll('figure.after').length == 6")  # one after the other
    page.close()


def test_without_models_of_voices_there_is_no_tab_for_them(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo_ui.shelf.KINDS", ("image",))
    with serving() as address:
        page = opened(browser, address)
        assert not page.locator("#tabs").is_visible()
        page.close()


def test_a_wrong_file_is_answered_by_a_sentence_and_the_others_are_done(
    browser: Any, address: str, tmp_path: Path
) -> None:
    letter, sound = tmp_path / "letter.png", tmp_path / "sound.wav"
    letter.write_text("Dear Sir")
    sound.write_bytes(b"RIFF")
    page = opened(browser, address)
    choose(page)
    page.set_input_files("#files", [letter, sound, EMOJI / "noto" / "1f433.png"])
    page.wait_for_selector('#status:text-is("Done; 2 of 3 failed.")')
    said = page.locator("[role=alert]").all_text_contents()
    assert ["letter.png: it holds text" in said[0], "Open Voices" in said[1]] == [True, True]
    assert page.locator("figure.after").count() == 3
    assert page.locator("figure.before").count() == 1  # nothing to see of the others
    page.close()


def test_a_server_that_is_gone_is_said_in_a_sentence(browser: Any) -> None:
    with serving() as address:
        page = opened(browser, address)
    page.set_input_files("#files", EMOJI / "noto" / "1f433.png")
    page.wait_for_selector('[role=alert]:has-text("The server does not answer")')
    page.close()


def test_two_users_at_once_are_served(browser: Any, address: str) -> None:
    pages = [opened(browser, address) for _ in range(2)]
    for page, name in zip(pages, ("1f433", "1f349"), strict=True):
        choose(page)
        page.set_input_files("#files", str(EMOJI / "noto" / f"{name}.png"))
    for page, name in zip(pages, ("1f433", "1f349"), strict=True):
        page.wait_for_selector(DONE)
        assert page.locator("h3").all_text_contents() == [f"{name}.pngstargan-emoji-64"]
        assert page.locator("figure.after").count() == 3
        page.close()


def test_a_large_picture_tells_how_far_it_is_and_can_be_cancelled(
    browser: Any, address: str, tmp_path: Path
) -> None:
    Image.fromarray(photo(1200, 1400)).save(tmp_path / "large.jpg")
    page = opened(browser, address)
    page.click("#more")
    choose(page, "shallow-mnist-mnistm", "mnistm")  # its nets see every pixel
    page.set_input_files("#files", tmp_path / "large.jpg")
    page.wait_for_selector('#status:has-text("part 1 of")')
    page.click("#cancel")
    page.wait_for_selector('#status:text-is("Cancelled.")')
    drop(page, EMOJI / "noto" / "1f433.png")  # the model is free again
    assert page.locator("figure.after").count() == 2
    page.close()


def test_attributes_have_sliders(browser: Any, attributes: Path) -> None:
    with serving(attributes) as address:
        page = browser.new_page()
        page.goto(address)
        page.locator('#sliders input[name="twemoji"]').fill("0.5")
        assert not page.locator("#becoming").is_visible()
        drop(page, EMOJI / "noto" / "1f433.png")
        assert titles(page) == ["twemoji 0.5"]
        keep(page.screenshot(), "ui-sliders.png")
        page.close()


def test_recordings_are_heard_and_seen(browser: Any, address: str) -> None:
    page = opened(browser, address)
    page.click('#tabs button:text-is("Voices")')
    choose(page, "cyclegan-vc-fsdd", "nicolas")
    drop(page, next((EMOJI.parent / "voice" / "jackson").glob("*.wav")))
    assert titles(page) == ["jackson", "nicolas"]
    until(page, "[...document.querySelectorAll('audio')].every(a => a.duration > 0.2)")
    until(page, DRAWN)
    keep(page.screenshot(full_page=True), "ui-voices.png")
    page.close()


def test_a_training_run_is_followed_while_it_goes_on(browser: Any, runs: Path) -> None:
    with serving(runs=runs) as address:
        page = opened(browser, address)
        page.click('#tabs button:text-is("Training")')
        page.wait_for_selector("#curves svg >> nth=1")
        until(page, "sheet.complete && sheet.naturalWidth > 0")
        assert "100 of 400 steps" in page.locator("#run-facts").text_content()
        keep(page.screenshot(full_page=True), "ui-training.png")
        with stats_path(runs / "emoji" / "first").open("a") as log:
            log.write(json.dumps({"step": 110, "loss/generator/cycle": 0.1}) + "\n")
        page.wait_for_selector('#run-facts:has-text("110 of 400 steps")')
        page.close()


def test_a_narrow_dark_page_has_no_sideways_scrolling(browser: Any, address: str) -> None:
    page = opened(browser, address, viewport={"width": 400, "height": 800}, color_scheme="dark")
    choose(page)
    drop(page, EMOJI / "noto" / "1f433.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    keep(page.screenshot(full_page=True), "ui-narrow.png")
    page.close()
