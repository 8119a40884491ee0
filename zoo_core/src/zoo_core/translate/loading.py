"""From a name or a directory to a translator."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch

from zoo_core.catalogue.registry import Registry
from zoo_core.errors import UsageError, unknown
from zoo_core.host.plugins import PluginHost
from zoo_core.host.plugins import host as shared_host
from zoo_core.models.modeldir import (
    GOLDEN,
    build_method,
    find_model,
    read_card_text,
    read_config,
    weights_file,
)
from zoo_core.models.weights import loaded
from zoo_core.translate.engine import AUTO, TORCH, Engine
from zoo_core.translate.translator import Translator

if TYPE_CHECKING:
    from zoo_core.contracts.method import Method


def load(
    name: str | os.PathLike[str],
    device: str | torch.device = "auto",
    precision: str = "auto",
    *,
    engine: str = AUTO,
    renderer: Any = None,
    host: PluginHost | None = None,
) -> Translator:
    """Loads a model, ready to translate.

    Args:
        name: A name from ``zoo list``, a model directory, the directory of a training run, or a
            repository of the Hub as ``org/repo[@revision][:folder]``, or a checkpoint there that
            others trained as ``org/repo[@revision]:file.pth``. A bare name means the catalogue
            first, and a path that exists goes before the Hub; write ``./NAME`` for a directory.
        device: ``auto`` (CUDA, Apple's MPS, else the CPU), or a device as torch names it.
        precision: ``auto`` (bfloat16 where it is fast), ``float32`` (exact) or ``bfloat16``.
        engine: What computes: ``torch``; a component of kind ``engine``, such as ``openvino``; or
            ``auto``, the fastest that is ready, or that pays for as many signals as there are.
        renderer: Makes translated signals perceivable in place of the codec's own way, such as a
            vocoder: the name of one that a plugin brings, with options, as ``NAME:key=value``, or
            an object that the codec takes.
        host: The plugins; None for the installed ones.

    Raises:
        UsageError: If there is no such model, device, precision, engine or renderer.
        HubError: If the Hub cannot be reached, or has no such model.
        WeightsError: If weights are missing, damaged, not those that are meant, or do not fit.
    """
    host = host or shared_host()
    directory = find_model(name, Registry.load(host), host)
    config = read_config(directory)
    kinds = host.components("codec")
    if config.signal.kind not in kinds:
        raise unknown("kind of signal", config.signal.kind, kinds)
    codec = host.load("codec", config.signal.kind)(config.signal, config.preprocessing)
    if renderer is not None:
        from zoo_core.host.named import open_named  # most translations need none of it

        named = isinstance(renderer, str)
        codec.render_with(open_named("renderer", renderer, host) if named else renderer)
    weights = weights_file(directory)

    def build() -> Method[Any]:
        return loaded(lambda: build_method(config, host), weights)

    engines = None
    if engine != TORCH and not (engine == AUTO and AUTO not in host.components("engine")):
        from zoo_core.translate.engines import EngineChoice, LoadedModel  # torch needs none of it

        cls: type[EngineChoice] = host.load("engine", engine)
        if precision == "auto" and "bfloat16" not in cls.precisions:
            precision = "float32"

        def engines(plain: Engine) -> EngineChoice:
            golden = directory / GOLDEN
            return cls(LoadedModel(plain, config, weights, golden, build, host), engine)

    return Translator(
        build(),
        config,
        codec,
        card=read_card_text(directory),
        name=os.fspath(name),
        device=device,
        precision=precision,
        engines=engines,
    )


def list_models(pattern: str = "*") -> list[str]:
    """Names of the models of the catalogue that can be loaded here.

    Args:
        pattern: Shell pattern such as ``stargan-*``; without wildcards, a part of the name.
    """
    registry = Registry.load(shared_host())
    try:
        return [model.id for model in registry.find(pattern) if model.installed]
    except UsageError:
        return []
