"""Entry module of the plugin: light, imports neither torch nor a library for audio."""

from __future__ import annotations

from collections.abc import Iterable

from zoo_core.hookspecs import hookimpl
from zoo_core.spec import Component


@hookimpl
def zoo_signals() -> Iterable[Component]:
    """Speech as mel-cepstra."""
    return [Component("speech", "zoo_voice.codec:SpeechCodec", "Mel-cepstra of speech, by WORLD")]
