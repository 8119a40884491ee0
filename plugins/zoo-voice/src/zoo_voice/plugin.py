"""Entry module of the plugin: light, imports neither torch nor a library for audio."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core.contracts.component import Component, LossSpec, MethodSpec
from zoo_core.host.hookspecs import hookimpl


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Speech as mel-cepstra."""
    return [
        Component(
            "codec", "speech", "zoo_voice.codec:SpeechCodec", "Mel-cepstra of speech, by WORLD"
        ),
        Component(
            "benchmark",
            "voice",
            "zoo_voice.evaluate.bench:VOICE",
            "Conversion of voices: spoken digits of two pairs, 20 words of four speakers",
        ),
        Component(
            "metric",
            "mcd",
            "zoo_voice.evaluate.metrics:MelCepstralDistortion",
            "Mel-cepstral distortion, dB",
        ),
        Component(
            "metric",
            "variance",
            "zoo_voice.evaluate.metrics:GlobalVariance",
            "Global variance, as a share of the target's",
        ),
        Component(
            "metric",
            "speaker",
            "zoo_voice.evaluate.listener_metrics:IndependentSpeaker",
            "Whose voice an independent speaker encoder hears (extra listeners)",
        ),
        Component(
            "metric",
            "naturalness",
            "zoo_voice.evaluate.listener_metrics:Naturalness",
            "How natural it sounds to DNSMOS, 1 to 5 (extra listeners)",
        ),
        Component(
            "judge-architecture",
            "speech",
            "zoo_voice.evaluate.judge:SpeechArchitecture",
            "Convolutions over log-mel energies of whole recordings",
        ),
        MethodSpec(
            name="cyclegan-vc",
            target="zoo_voice.method:CycleGANVC",
            summary="Two voices: 2-1-2D generators tied by cycle consistency, two-step critics",
            paper="Kaneko et al. 2019, arXiv:1904.04631",
            signal="speech",
            presets=("paper", "small"),
        ),
        MethodSpec(
            name="stargan-vc",
            target="zoo_voice.stargan_vc:StarGANVC",
            summary="Any number of voices: one generator that is told the voice, a critic names it",
            paper="Kameoka et al. 2018, arXiv:1806.02169",
            domains=(2, None),
            signal="speech",
            presets=("paper", "small"),
        ),
        MethodSpec(
            name="latent-vc",
            target="zoo_voice.latent:LatentVC",
            summary="Voices by one encoder whose code hides the speaker, and a decoder of voices",
            paper="Chou et al. 2018, arXiv:1804.02812",
            domains=(2, None),
            signal="speech",
            presets=("paper", "small"),
        ),
        LossSpec(
            "speaker",
            "zoo_voice.speaker_loss:SpeakerSimilarity",
            "Conversions are heard as the target's voice by a speaker encoder (extra listeners)",
            weight=10.0,
        ),
        Component("renderer", "world", "zoo_voice.vocoder:World", "Speech by WORLD: the default"),
        Component(
            "renderer",
            "hifigan",
            "zoo_voice.hifigan:HiFiGAN",
            "Speech by HiFi-GAN, weights=FILE or repo",
        ),
    ]


@hookimpl
def zoo_models() -> Iterable[Path]:
    """The trained models that come with the plugin."""
    return [Path(__file__).with_name("registry.yaml")]
