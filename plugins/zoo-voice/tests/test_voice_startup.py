"""Nothing of the zoo imports audio libraries until speech is used."""

import os
import subprocess
import sys

import pytest

from zoo_core.host.plugins import host

pytestmark = pytest.mark.slow

PROBE = """
import sys
import zoo_voice.plugin
from zoo_core.host.plugins import host
assert "speech" in host().components("codec")
host().methods()
heavy = {"torch", "numpy", "pyworld", "soundfile", "soxr"} & set(sys.modules)
assert not heavy, heavy
from zoo_images.codec import ImageCodec
import zoo
zoo.list_models()
audio = {"pyworld", "soundfile", "soxr"} & set(sys.modules)
assert not audio, audio
assert host().load("codec", "speech").kind == "speech"
assert "pyworld" in sys.modules
"""

WITHOUT = """
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("zoo_voice", "pyworld", "soundfile", "soxr"):
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Absent())
from zoo_core.host.plugins import host
assert "speech" not in host().components("codec")
import zoo_core, zoo
for module in pkgutil.walk_packages(zoo_core.__path__, "zoo_core."):
    if ".templates" not in module.name and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
for name in host().methods():
    host().load("method", name)
zoo.list_models()
"""


def test_without_the_plugin_the_zoo_needs_no_audio_libraries() -> None:
    others = {plugin.name for plugin in host().plugins} - {"voice"}
    environment = os.environ | {"ZOO_PLUGINS": ",".join(others), "ZOO_STRICT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr


def test_audio_libraries_are_imported_with_the_codec_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
