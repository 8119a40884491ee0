"""What the tests of the page share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from zoo_core.catalogue.registry import Registry
from zoo_core.host.plugins import host


@pytest.fixture
def attributes(tmp_path: Path) -> Path:
    """A model directory whose domains are attributes, each more or less."""
    embedded = Registry.load(host()).get("stargan-emoji-64").embedded
    assert embedded is not None
    directory = tmp_path / "attributes"
    shutil.copytree(embedded.parent, directory)
    config = directory / "config.yaml"
    config.write_text(config.read_text().replace("kind: domains", "kind: attributes"))
    return directory
