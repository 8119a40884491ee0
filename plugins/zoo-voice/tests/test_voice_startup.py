"""Nothing of the zoo imports audio libraries until speech is used."""

import subprocess
import sys

PROBE = """
import sys
import zoo_voice.plugin
from zoo_core.plugins import host
assert "speech" in host().components("zoo_signals")
host().methods()
heavy = {"torch", "numpy", "pyworld", "soundfile", "soxr"} & set(sys.modules)
assert not heavy, heavy
from zoo_core.images.codec import ImageCodec
import zoo
zoo.list_models()
audio = {"pyworld", "soundfile", "soxr"} & set(sys.modules)
assert not audio, audio
assert host().codec_class("speech").kind == "speech"
assert "pyworld" in sys.modules
"""


def test_audio_libraries_are_imported_with_the_codec_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
