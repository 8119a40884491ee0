"""Whatever order writers, killed processes and damage come in: nothing wrong passes as right."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from zoo_core.errors import HubError, WeightsError, ZooError
from zoo_core.files import replacing
from zoo_core.translate.provenance import RECORDS, Origin, Outputs
from zoo_hub.cache import RepoCache, fetch
from zoo_hub.reference import Reference
from zoo_testing.hub_server import Claim, Close, Garble, HubServer, Status, Truncate

NAMES = ("a.png", "b.png")


class Killed(BaseException):
    """Stands for the end of a process in the midst of its work."""


class OutputsOfMany(RuleBasedStateMachine):
    """Writers with different models and inputs share a folder; some are killed, some files spoilt.

    An output counts as current only where its content is what its origin gives.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="zoo-outputs-"))

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @rule(
        name=st.sampled_from(NAMES),
        what=st.integers(0, 2),
        when=st.sampled_from(["never", "before", "after noting", "after replacing"]),
    )
    def write(self, name: str, what: int, when: str) -> None:
        outputs, path = Outputs(self.root), self.root / name
        if path.exists() and outputs.is_current(path, origin_of(what)):
            return
        try:
            with outputs.noting(path, origin_of(what)), replacing(path) as part:
                if when == "before":
                    raise Killed
                part.write_bytes(content_of(what))
                if when == "after noting":
                    outputs.note(path, origin_of(what), part)
                    raise Killed
            if when == "after replacing":
                raise Killed
        except Killed:
            pass

    @rule(name=st.sampled_from(NAMES), what=st.integers(3, 4))
    def replaced_by_a_user(self, name: str, what: int) -> None:
        (self.root / name).write_bytes(content_of(what))

    @rule(keep=st.floats(0, 1))
    def records_cut(self, keep: float) -> None:
        path = self.root / RECORDS
        if path.exists():
            data = path.read_bytes()
            path.write_bytes(data[: int(len(data) * keep)])

    @rule(name=st.sampled_from(NAMES))
    def removed(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)

    @invariant()
    def what_is_current_is_right(self) -> None:
        outputs = Outputs(self.root)
        for name in NAMES:
            path = self.root / name
            for what in range(3):
                if outputs.is_current(path, origin_of(what)):
                    assert path.read_bytes() == content_of(what)
            if path.exists() and path.read_bytes() in (content_of(3), content_of(4)):
                assert not outputs.is_unchanged(path)


def origin_of(what: int) -> Origin:
    return Origin(f"input {what}", f"model {what}", "b", {}, "1")


def content_of(what: int) -> bytes:
    return b"content %d" % what


class CacheOfMany(RuleBasedStateMachine):
    """A Hub that changes and misbehaves, a cache that is damaged: what is given is the commit's."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="zoo-cache-"))
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv("ZOO_CACHE", str(self.place / "cache"))
        self.patch.setenv("ZOO_HUB_TIMEOUT", "0.3")
        self.patch.delenv("HF_HUB_OFFLINE", raising=False)
        self.hub = HubServer()
        self.hub.__enter__()
        from huggingface_hub import close_session, constants

        close_session()
        template = self.hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        self.patch.setenv("HF_ENDPOINT", self.hub.url)
        self.patch.setattr(constants, "ENDPOINT", self.hub.url)
        self.patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        self.patch.setattr(constants, "HF_HUB_OFFLINE", False)
        self.contents: dict[str, bytes] = {}

    def teardown(self) -> None:
        from huggingface_hub import close_session

        close_session()
        self.hub.__exit__(None, None, None)
        self.patch.undo()
        shutil.rmtree(self.place)

    @initialize(content=st.binary(min_size=1, max_size=40))
    def first(self, content: bytes) -> None:
        self.commit(content)

    @rule(content=st.binary(min_size=1, max_size=40))
    def commit(self, content: bytes) -> None:
        self.contents[self.hub.add("org/name", {"x.bin": content})] = content

    @rule(
        fault=st.sampled_from(
            [None, Status(500), Status(403), Close(), Garble(), Truncate(), Truncate(ranges=False),
             Claim({"X-Repo-Commit": "ab" * 20}), Claim({"Content-Length": None})]
        )
    )  # fmt: skip
    def misbehaves(self, fault: Any) -> None:
        self.hub.behave()
        if fault is not None:
            self.hub.misbehave(fault)

    @rule(flip=st.integers(0, 1000), part=st.booleans())
    def damage(self, flip: int, part: bool) -> None:
        for path in self.place.rglob("x.bin"):
            data = bytearray(path.read_bytes())
            data[flip % len(data)] ^= 1
            path.write_bytes(data)
            if part:
                path.rename(path.with_name(".x.bin.part"))

    @rule(data=st.data())
    def fetch_a_commit(self, data: st.DataObject) -> None:
        commit = data.draw(st.sampled_from(sorted(self.contents)))
        self.read(commit, {commit})

    @rule(revision=st.sampled_from([None, "main"]))
    def fetch_a_branch(self, revision: str | None) -> None:
        self.read(revision, set(self.contents))

    def read(self, revision: str | None, commits: set[str]) -> None:
        reference = Reference("org/name", revision=revision, file="x.bin")
        try:
            path = fetch(reference)
        except (HubError, WeightsError):
            return
        assert path.read_bytes() in {self.contents[commit] for commit in commits}
        assert path.read_bytes() == self.contents[path.parent.name]

    @invariant()
    def what_is_remembered_is_true(self) -> None:
        try:
            record = RepoCache(Reference("org/name")).record()
        except ZooError as error:
            raise AssertionError(str(error)) from error
        assert set(record.commits.values()) <= set(self.contents)


TestOutputsOfMany = OutputsOfMany.TestCase
TestOutputsOfMany.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestCacheOfMany = CacheOfMany.TestCase
TestCacheOfMany.settings = settings(max_examples=8, stateful_step_count=15, deadline=None)
