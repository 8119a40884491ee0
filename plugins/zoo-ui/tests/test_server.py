"""The server behind the page."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import zoo
from zoo_core.catalogue.registry import Registry
from zoo_core.errors import UsageError, WeightsError
from zoo_core.host.plugins import host
from zoo_testing.photos import photo
from zoo_ui import app as module
from zoo_ui.app import build_app
from zoo_ui.command import HOST, listen
from zoo_ui.shelf import Shelf
from zoo_ui.watch import CancelledError, Event, Job
from zoo_ui.work import Wish, translate

MODEL = "stargan-emoji-64"
LARGE = "shallow-mnist-mnistm"
"""A quick model whose nets see every pixel."""


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(build_app(device="cpu"), base_url=f"http://{HOST}")


def picture(seed: int = 0, kind: str = "PNG") -> bytes:
    values = np.random.default_rng(seed).integers(0, 255, (40, 56, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, kind)
    return stream.getvalue()


def steps(content: bytes) -> list[tuple[dict[str, Any], list[bytes]]]:
    """What an answer tells, each with its files."""
    stream, found = io.BytesIO(content), []
    while line := stream.readline():
        says = json.loads(line)
        found.append((says, [stream.read(size) for size in says.pop("sizes")]))
    return found


def ask(client: TestClient, data: bytes, **changes: Any) -> tuple[int, bytes, str]:
    """Status, picture and sentence of a translation."""
    query = {"model": MODEL, "to": "noto", "name": "mine.png"} | changes
    answer = client.post("/translate", params=query, content=data)
    if answer.headers["content-type"] == "application/json":
        return answer.status_code, b"", answer.json()["error"]
    says, files = steps(answer.content)[-1]
    return answer.status_code, files[0] if files else b"", says.get("error", "")


def test_the_models_for_pictures_that_are_here_are_offered(client: TestClient) -> None:
    rows = {row["name"]: row for row in client.get("/models").json()["models"]}
    assert rows[MODEL]["kind"] == "image"
    assert rows[MODEL]["summary"]
    known = Registry.load(host()).models
    assert all(known[name].embedded and known[name].installed for name in rows)


def test_what_can_be_asked_of_a_model_is_said(client: TestClient) -> None:
    choices = client.get("/model", params={"model": MODEL}).json()
    assert choices["targets"] == choices["sources"] == ["noto", "openmoji", "twemoji"]
    assert (choices["kind"], choices["needs_source"]) == ("domains", False)
    answer = client.get("/model", params={"model": "stargan-emojy"})
    assert answer.status_code == 422
    assert "stargan-emojy" in answer.json()["error"]


def test_a_models_picture_is_its_samples(client: TestClient) -> None:
    answer = client.get("/picture", params={"model": MODEL})
    model = Registry.load(host()).get(MODEL)
    assert model.embedded is not None
    assert answer.content == (model.embedded.parent / "samples.png").read_bytes()
    assert client.get("/picture", params={"model": "../../etc/passwd"}).status_code == 404


def test_a_translation_is_that_of_the_library_at_the_pictures_own_size(
    client: TestClient, tmp_path: Path
) -> None:
    status, made, _ = ask(client, picture())
    (tmp_path / "a.png").write_bytes(picture())
    expected = zoo.load(MODEL, device="cpu", precision="auto")(str(tmp_path / "a.png"), to="noto")
    assert status == 200
    with Image.open(io.BytesIO(made)) as found:
        assert found.size == (56, 40)
        assert np.abs(np.asarray(found, int) - np.asarray(expected, int)).max() <= 1


@pytest.mark.parametrize(
    ("changes", "data", "said"),
    [
        ({"name": "letter.txt"}, b"Dear Sir", r"letter\.txt.*not a picture"),
        ({"name": "torn.png"}, picture()[:200], r"torn\.png"),
        ({"name": "empty.png"}, b"", r"empty\.png"),
        ({"model": "stargan-emojy"}, picture(), r"stargan-emojy.*no model"),
        ({"to": "klingon"}, picture(), r"klingon.*noto, openmoji, twemoji"),
        ({"to": []}, picture(), r"Choose one of noto, openmoji, twemoji"),
        ({"amount": "noto:1"}, picture(), r"attribute .noto.*no attribute"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    changes: dict[str, Any], data: bytes, said: str, client: TestClient
) -> None:
    _, made, sentence = ask(client, data, **changes)
    assert not made
    assert re.search(said, sentence), sentence
    assert "zoo-ui-" not in sentence  # the place where files lie for a moment
    assert "Traceback" not in sentence


def test_too_large_a_file_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 1000)
    status, _, sentence = ask(client, picture())
    assert status == 422
    assert "mine.png" in sentence


def test_two_users_at_once_get_their_own_pictures(client: TestClient) -> None:
    alone = [ask(client, picture(seed))[1] for seed in range(2)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda n: ask(client, picture(n % 2)), range(6)))
    assert [status for status, _, _ in together] == [200] * 6
    assert [made for _, made, _ in together] == alone * 3


def test_it_answers_this_machine_and_its_own_page_alone(client: TestClient) -> None:
    assert client.get("/models", headers={"host": "elsewhere.example"}).status_code == 400
    query = {"model": MODEL, "to": "noto", "name": "a.png"}
    for origin, status in (("http://elsewhere.example", 403), (f"http://{HOST}", 200)):
        answer = client.post(
            "/translate", params=query, content=picture(), headers={"origin": origin}
        )
        assert answer.status_code == status
    with listen(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("name", ["x.\0png", "x.p/../ng", "", ".", "x." + "n" * 5_000])
def test_a_name_is_never_a_path(name: str, client: TestClient) -> None:
    assert ask(client, picture(), name=name)[0] == 200


def test_a_picture_of_too_many_pixels_is_refused(client: TestClient) -> None:
    stream = io.BytesIO()
    Image.new("1", (8_000, 8_000)).save(stream, "PNG")
    _, made, sentence = ask(client, stream.getvalue())
    assert not made
    assert "8000×8000" in sentence


def test_nothing_that_was_sent_stays(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old = tmp_path / ".zoo-ui-killed.part"
    old.mkdir()
    os.utime(old, (0, 0))  # left by a server that was killed long ago
    build_app()
    for data in (picture(), b"junk"):
        ask(client, data)
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_a_model_directory_is_not_shown(tmp_path: Path) -> None:
    model = Registry.load(host()).get(MODEL)
    assert model.embedded is not None
    run = tmp_path / "run"
    shutil.copytree(model.embedded.parent, run / "model")
    (tmp_path / "secret").write_text("secret")
    (run / "model" / "samples.png").unlink()
    (run / "other").mkdir()
    for place in (run, run / "other"):
        (place / "samples.png").symlink_to(tmp_path / "secret")
    own = TestClient(build_app([str(run)]), base_url=f"http://{HOST}")
    assert own.get("/models").json()["models"][0]["picture"] is False
    assert own.get("/picture", params={"model": str(run)}).status_code == 404


def test_the_page_names_no_other_address(client: TestClient) -> None:
    names = {path.name for path in (resources.files("zoo_ui") / "page").iterdir()}
    for name in ("", *names):
        answer = client.get(f"/{name}")
        assert answer.status_code == 200
        text = answer.text.replace("http://www.w3.org/2000/svg", "")  # names a format
        assert not re.findall(r"(?:https?:)?//[\w.]+\.\w", text)
        assert "default-src 'self'" in answer.headers["content-security-policy"]
    for name in ("plugin.py", "../app.py", "..%2fapp.py"):
        assert client.get(f"/{name}").status_code == 404


def test_a_taken_port_is_an_error() -> None:
    with listen(0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            listen(port)
    assert caught.value.asked == f"--port {port}"


def test_a_directory_of_ones_own_is_offered_first(tmp_path: Path) -> None:
    model = Registry.load(host()).get(MODEL)
    assert model.embedded is not None
    shutil.copytree(model.embedded.parent, tmp_path / "mine")
    own = TestClient(build_app([str(tmp_path / "mine")]), base_url=f"http://{HOST}")
    row = own.get("/models").json()["models"][0]
    assert (row["name"], row["picture"]) == (str(tmp_path / "mine"), True)
    assert ask(own, picture(), model=row["name"])[0] == 200


def test_a_directory_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        build_app([str(tmp_path)])
    assert str(tmp_path) in (caught.value.asked or "")


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A picture that goes through the nets in parts, since these are small."""
    monkeypatch.setattr("zoo_images.codec.WINDOW_PIXELS", 128 * 128)
    stream = io.BytesIO()
    Image.fromarray(photo(160, 320)).save(stream, "JPEG")
    return stream.getvalue()


def test_progress_is_told_part_by_part_of_a_large_picture(client: TestClient, parts: bytes) -> None:
    query = {"model": LARGE, "to": "mnistm", "name": "a.jpg"}
    told = steps(client.post("/translate", params=query, content=parts).content)
    shares = [says["progress"] for says, _ in told if "progress" in says]
    words = [says["words"] for says, _ in told if says.get("words")]
    assert shares == sorted(shares)
    assert words[0].startswith("part 1 of ")
    assert words[-1] == words[0].replace("part 1", f"part {words[0].split()[-1]}")
    with Image.open(io.BytesIO(told[-1][1][0])) as made:
        assert made.size == (320, 160)


def test_work_that_nobody_waits_for_ends(tmp_path: Path, parts: bytes) -> None:
    stop, told = threading.Event(), []

    def tell(event: Event) -> None:
        told.append(event)
        if str(event.says.get("words")).startswith("part 2"):
            stop.set()

    wish = Wish(LARGE, "a.jpg", ("mnistm", "mnist"))
    with pytest.raises(CancelledError):
        translate(Shelf(device="cpu"), wish, parts, Job(tmp_path, tell, stop))
    assert not [event for event in told if "result" in event.says]


def test_a_server_that_ends_ends_its_work() -> None:
    app = build_app(device="cpu")
    app.state.is_closing = lambda: True
    client = TestClient(app, base_url=f"http://{HOST}")
    assert "stopped" in ask(client, picture())[2]


def test_attributes_are_asked_for_by_strength(attributes: Path) -> None:
    own = TestClient(build_app([str(attributes)], device="cpu"), base_url=f"http://{HOST}")
    assert own.get("/model", params={"model": str(attributes)}).json()["kind"] == "attributes"
    made = {}
    for strength in ("0", "0.5", "1"):
        query = {"model": str(attributes), "amount": f"noto:{strength}", "name": "a.png"}
        ((says, files),) = [
            step
            for step in steps(own.post("/translate", params=query, content=picture()).content)
            if "result" in step[0]
        ]
        made[says["result"]] = files[0]
    assert list(made) == ["without attributes", "noto 0.5", "noto"]
    assert len(set(made.values())) == 3


@pytest.mark.parametrize("strength", ["2", "-1", "nan", "much", ""])
def test_a_strength_is_from_0_to_1(strength: str, client: TestClient) -> None:
    status, _, sentence = ask(client, picture(), amount=f"noto:{strength}")
    assert status == 422
    assert "noto" in sentence


def test_what_a_browser_cannot_show_comes_with_a_picture(client: TestClient) -> None:
    stream = io.BytesIO()
    Image.open(io.BytesIO(picture())).save(stream, "TIFF")
    query = {"model": MODEL, "to": "noto", "name": "a.tif"}
    told = steps(client.post("/translate", params=query, content=stream.getvalue()).content)
    (_, (before,)), (says, (whole, after)) = told[0], told[-1]
    assert says["suffix"] == ".tif"
    assert [Image.open(io.BytesIO(f)).format for f in (before, whole, after)] == [
        "PNG",
        "TIFF",
        "PNG",
    ]


def test_a_recording_comes_with_its_spectrogram(client: TestClient) -> None:
    (path, *_) = sorted(Path(__file__).parents[3].glob("examples/voice/jackson/*.wav"))
    query = {"model": "cyclegan-vc-fsdd", "to": "nicolas", "name": "a.wav"}
    told = steps(client.post("/translate", params=query, content=path.read_bytes()).content)
    says, (sound, drawn) = told[-1]
    assert (says["result"], says["suffix"], sound[:4]) == ("nicolas", ".wav", b"RIFF")
    assert Image.open(io.BytesIO(drawn)).width > 100


def test_a_look_goes_there_and_back(client: TestClient, digit: Path) -> None:
    """A cycle with photos behind its digits hides them; see docs/audit.md."""
    query = {"model": "cyclegan-mnist-mnistm", "to": "mnist", "name": "a.png"}
    told = steps(client.post("/lens", params=query, content=digit.read_bytes()).content)
    assert [says.get("look") for says, _ in told] == [
        "translation",
        "its faint part, 100 times louder",
        "translated back",
        "translated back after JPEG",
        None,
    ]
    for _, (drawn,) in told[:-1]:
        assert Image.open(io.BytesIO(drawn)).size == (32, 32)
    found = told[-1][0]["differences"]
    assert found["again"] > found["back"] + found["jpeg"]


@pytest.mark.parametrize(
    ("model", "to", "said"),
    [
        ("dtn-mnist-usps", "usps", "no way back"),
        (MODEL, "noto", "what the picture is now"),
        (MODEL, "klingon", "one translation"),
    ],
)
def test_where_no_way_back_is_known_a_look_says_so(
    model: str, to: str, said: str, client: TestClient
) -> None:
    query = {"model": model, "to": to, "name": "a.png"}
    ((says, _),) = steps(client.post("/lens", params=query, content=picture()).content)
    assert said in says["error"]


def test_results_are_zipped_by_names_that_are_no_paths(client: TestClient) -> None:
    names = ["a.png", "../a.png", "b/c\\a.png", "", "a"]
    files = [("files", (name, f"{number}".encode())) for number, name in enumerate(names) if name]
    answer = client.post("/zip", files=files)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["a.png", "a-2.png", "a-3.png", "a"]
        assert archive.read("a-2.png") == b"1"


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["..", ".", " ", "C:"], ["result", "result-2", "result-3", "C"]),
        (["a.png", "a-2.png", "a.png"], ["a.png", "a-2.png", "a-3.png"]),
        (["x" * 300 + ".png"], ["x" * 96 + ".png"]),
    ],
)
def test_names_in_a_zip_lead_nowhere_and_hide_no_other(
    client: TestClient, names: list[str], kept: list[str]
) -> None:
    answer = client.post("/zip", files=[("files", (name, b"1")) for name in names])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == kept


def test_a_length_of_thousands_of_digits_is_refused(client: TestClient) -> None:
    answer = client.post("/zip", content=b"", headers={"content-length": "9" * 5_000})
    assert answer.status_code == 422


def test_too_many_bytes_are_not_zipped(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo_ui.zipped.LARGEST", 10)
    answer = client.post("/zip", files=[("files", ("a.png", b"12345678901"))])
    assert answer.status_code == 422
    assert "larger" in answer.json()["error"]


def test_with_a_token_who_does_not_know_it_is_refused() -> None:
    app = build_app(device="cpu", token="right")
    stranger = TestClient(app, base_url="http://somewhere.example", follow_redirects=False)
    for path in ("/", "/?token=wrong", "/models?token=right", "/page.js"):
        assert stranger.get(path).status_code == 401
    stranger.cookies.set("zoo-token-80", "wrong")
    assert stranger.get("/models").status_code == 401


def test_pages_at_two_ports_of_one_machine_keep_each_their_own_token() -> None:
    pages, cookies = [], {}
    for port, token in ((7860, "first"), (7861, "second")):
        app = build_app(device="cpu", token=token)
        pages.append(TestClient(app, base_url=f"http://somewhere.example:{port}"))
        pages[-1].get("/", params={"token": token})
        cookies |= dict(pages[-1].cookies)
    # A browser sends the cookies of a machine to all its ports.
    header = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    for page in pages:
        page.cookies.clear()
        assert page.get("/models", headers=header).status_code == 200


def test_more_requests_than_are_taken_at_once_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo_ui.guard.CONNECTIONS", 0)
    client = TestClient(build_app(device="cpu"), base_url="http://localhost")
    answer = client.get("/models")
    assert (answer.status_code, answer.json()) == (503, {"error": "the page is busy"})


def test_the_address_with_the_token_opens_the_page() -> None:
    app = build_app(device="cpu", token="right")
    friend = TestClient(app, base_url="http://somewhere.example")
    answer = friend.get("/?token=right")
    assert answer.status_code == 200
    assert "token" not in str(answer.url)  # so that nobody hands it on with the address
    assert friend.get("/models").status_code == 200
    evil = {"origin": "http://elsewhere.example"}
    assert friend.post("/translate", content=b"", headers=evil).status_code == 403


def test_a_model_has_an_example_to_try_it_with(client: TestClient) -> None:
    answer = client.get("/example", params={"model": MODEL})
    assert Image.open(io.BytesIO(answer.content)).size == (64, 64)
    rows = {row["name"]: row["example"] for row in client.get("/models").json()["models"]}
    assert (rows[MODEL], rows["cyclegan-vc-fsdd"]) == (True, False)
    assert client.get("/example", params={"model": "cyclegan-vc-fsdd"}).status_code == 404
