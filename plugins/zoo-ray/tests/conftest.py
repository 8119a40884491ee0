"""Pictures, a model, and the forms that pictures come in."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo_testing.fixtures import *  # noqa: F403


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of eleven pictures of two sizes."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(11):
        size = 32 if number % 3 else 40
        pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def shard(pictures: Path) -> Path:
    """The same pictures in a tar shard, with labels beside them, and one file that is broken."""
    path = pictures.parent / "shard.tar"
    with tarfile.open(path, "w") as archive:
        for picture in sorted(pictures.iterdir()):
            _put(archive, picture.name, picture.read_bytes())
            _put(archive, f"{picture.stem}.cls", b"7")
        _put(archive, "broken.png", b"no picture")
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


@pytest.fixture
def put() -> Callable[[tarfile.TarFile, str, bytes], None]:
    """Adds a file to an archive."""
    return _put


def _put(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))
