"""The self-hosted Hub answers real huggingface_hub as the real one does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import get_session

from zoo_testing.hub_server import TOKEN, Close, Garble, Hang, HubServer, Status, Truncate

BIG = bytes(range(256)) * 400
FILES = {"config.yaml": b"method: tiny\n", "weights/model.bin": BIG}


def read(hub: HubServer, name: str, file: str, **options: object) -> bytes:
    path = hf_hub_download(name, file, endpoint=hub.url, **options)  # type: ignore[arg-type]
    return Path(path).read_bytes()


@pytest.mark.parametrize("kind", ["model", "space", "dataset"])
def test_files_are_served_at_a_branch_a_commit_and_a_pull_request(hub: HubServer, kind: str):
    old = hub.add("org/name", FILES, kind=kind)
    new = hub.add("org/name", {"config.yaml": b"changed"}, kind=kind)
    hub.add("org/name", {"config.yaml": b"proposed"}, kind=kind, ref="refs/pr/1")
    assert read(hub, "org/name", "config.yaml", repo_type=kind) == b"changed"
    assert read(hub, "org/name", "config.yaml", repo_type=kind, revision=old) == b"method: tiny\n"
    assert read(hub, "org/name", "config.yaml", repo_type=kind, revision="refs/pr/1") == b"proposed"
    assert read(hub, "org/name", "weights/model.bin", repo_type=kind, revision=new) == BIG


def test_requests_are_counted_and_a_pinned_file_in_the_cache_makes_none(hub: HubServer):
    commit = hub.add("org/name", FILES)
    read(hub, "org/name", "weights/model.bin", revision=commit)
    assert (hub.count("HEAD"), hub.count("GET")) == (1, 1)
    hub.forget()
    read(hub, "org/name", "weights/model.bin", revision=commit)
    assert hub.count() == 0


def test_large_files_may_be_redirected_to_a_store_without_the_token(hub: HubServer):
    hub.add("org/name", FILES, private=True)
    hub.redirecting = True
    assert read(hub, "org/name", "weights/model.bin", token=TOKEN) == BIG
    stored = [seen for seen in hub.requests if seen.store]
    assert [seen.token for seen in stored] == [False]


def test_ranges_are_served(hub: HubServer):
    hub.add("org/name", FILES)
    url = f"{hub.url}/org/name/resolve/main/weights/model.bin"
    rest = get_session().get(url, headers={"Range": "bytes=1000-"})
    assert (rest.status_code, rest.content) == (206, BIG[1000:])
    assert get_session().get(url, headers={"Range": f"bytes={len(BIG)}-"}).status_code == 416


def test_what_is_missing_is_named(hub: HubServer):
    hub.add("org/name", FILES)
    hub.add("org/secret", FILES, private=True)
    hub.add("org/gated", FILES, gated=True)
    for name in ("org/nothing", "org/secret"):
        with pytest.raises(RepositoryNotFoundError):
            read(hub, name, "config.yaml")
    assert read(hub, "org/secret", "config.yaml", token=TOKEN) == b"method: tiny\n"
    with pytest.raises(GatedRepoError):
        read(hub, "org/gated", "config.yaml", token=TOKEN)
    with pytest.raises(RevisionNotFoundError):
        read(hub, "org/name", "config.yaml", revision="elsewhere")
    with pytest.raises(RemoteEntryNotFoundError):
        read(hub, "org/name", "nothing.bin")


def test_uploads_make_commits_and_the_old_ones_stay(hub: HubServer, tmp_path: Path):
    api = HfApi(endpoint=hub.url, token=TOKEN)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "README.md").write_text("---\nlicense: mit\n---\n# first\n")
    (tmp_path / "model" / "model.bin").write_bytes(BIG)
    api.create_repo("org/new", private=True, exist_ok=True)
    api.create_repo("org/new", private=True, exist_ok=True)
    first = api.upload_folder(repo_id="org/new", folder_path=tmp_path / "model").oid
    (tmp_path / "model" / "README.md").write_text("---\nlicense: mit\n---\n# second\n")
    second = api.upload_folder(repo_id="org/new", folder_path=tmp_path / "model").oid
    info = api.model_info("org/new")
    assert info.sha == second != first
    assert {"README.md", "model.bin"} <= set(api.list_repo_files("org/new", revision=first))
    cached = snapshot_download("org/new", revision=first, endpoint=hub.url, token=TOKEN)
    assert (Path(cached) / "README.md").read_text().endswith("# first\n")
    with pytest.raises(RepositoryNotFoundError):
        HfApi(endpoint=hub.url, token=False).model_info("org/new")


def test_it_misbehaves_on_demand_and_behaves_again(hub: HubServer):
    hub.add("org/name", FILES)
    url = f"{hub.url}/org/name/resolve/main/weights/model.bin"
    hub.misbehave(Status(503), times=2)
    assert [get_session().get(url).status_code for _ in range(3)] == [503, 503, 200]
    hub.misbehave(Garble(), times=1)
    garbled = get_session().get(url)
    assert len(garbled.content) == len(BIG)
    assert garbled.content != BIG
    for fault in (Truncate(), Close()):
        hub.misbehave(fault, times=1)
        with pytest.raises(Exception, match=r"peer closed|disconnected"):
            get_session().get(url)
    hub.misbehave(Hang(30), times=1)
    start = time.monotonic()
    with pytest.raises(Exception, match="timed out"):
        get_session().get(url, timeout=0.2)
    assert time.monotonic() - start < 5
    hub.misbehave(Status(403, message="no"))
    with pytest.raises(HfHubHTTPError):
        HfApi(endpoint=hub.url).model_info("org/name")
    hub.behave()
    assert get_session().get(url).content == BIG
