"""The server behind the page."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
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
from zoo_ui import app as module
from zoo_ui.app import build_app
from zoo_ui.command import HOST, listen

MODEL = "stargan-emoji-64"


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
    expected = zoo.load(MODEL, device="cpu")(str(tmp_path / "a.png"), to="noto")
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
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    changes: dict[str, str], data: bytes, said: str, client: TestClient
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
