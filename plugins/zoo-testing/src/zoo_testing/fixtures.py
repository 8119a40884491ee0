"""Fixtures: tiny models for tests of loading and translating, without any method's plugin."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zoo_core.catalogue.description import ModelConfig
from zoo_core.contracts.signals import MIXED, Batch, Condition, Domains, TensorSpec
from zoo_core.host.plugins import PluginHost
from zoo_core.models.modeldir import build_method
from zoo_testing.hosts import InMemoryPlugin, host_with
from zoo_testing.small_runs import draw_pictures
from zoo_testing.tiny import CODE_SPEC, SPEC
from zoo_train.card import Card
from zoo_train.writing import write_model


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """All computations in one thread, here and in processes that are started.

    Sums of several threads' parts have other last digits than the sum of one, so that bytes can be
    compared only where both sides use as many threads. Small nets are also faster so.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny_host(monkeypatch: pytest.MonkeyPatch) -> PluginHost:
    """A host that knows the tiny methods only, and is the process's own during the test."""
    host = host_with(InMemoryPlugin("tiny", [SPEC, CODE_SPEC]))
    monkeypatch.setattr("zoo_core.translate.loading.shared_host", lambda: host)
    return host


@pytest.fixture
def config() -> ModelConfig:
    """A direct method between three domains."""
    spec = TensorSpec(shape=(3, 8, 8), stride=2)
    return ModelConfig("tiny", {"width": 3}, Domains(("apple", "noto", "twemoji")), spec)


@pytest.fixture
def code_config() -> ModelConfig:
    """A method with a code between two domains."""
    spec = TensorSpec(shape=(3, 8, 8), stride=2)
    return ModelConfig("tiny-code", {}, Domains(("day", "night")), spec)


@pytest.fixture
def attribute_config() -> ModelConfig:
    """A direct method over attributes, of which two exclude each other."""
    domains = Domains(("Black", "Blond", "Male"), "attributes", (("Black", "Blond"),))
    return ModelConfig("tiny", {}, domains, TensorSpec(shape=(3, 8, 8), stride=2))


@pytest.fixture
def batch_of() -> Callable[[ModelConfig], Batch]:
    """Real-looking signals of a configuration's domains."""

    def make(config: ModelConfig) -> Batch:
        rng = torch.Generator().manual_seed(0)
        if config.method == "tiny":
            x = torch.rand(4, *config.signal.shape, generator=rng) * 2 - 1
            label = torch.eye(len(config.domains))[torch.tensor([0, 1, 2, 0])]
            return Batch({MIXED: x}, {MIXED: Condition(label)})
        return Batch(
            {n: torch.rand(3, 3, 8, 8, generator=rng) * 2 - 1 for n in config.domains},
            {n: Condition.of(config.domains, n, 3) for n in config.domains},
        )

    return make


@pytest.fixture
def write_tiny(
    tiny_host: PluginHost, batch_of: Callable[[ModelConfig], Batch]
) -> Callable[..., Path]:
    """Writes a model directory of a configuration with random weights."""

    def write(directory: Path, config: ModelConfig, **options: object) -> Path:
        torch.manual_seed(1)
        method = build_method(config, tiny_host)
        write_model(
            directory,
            method,
            config,
            card=Card("tiny", "A tiny model."),
            sample_batch=batch_of(config),
            **options,
        )
        return directory

    return write


@pytest.fixture
def tiny_model(tmp_path: Path, write_tiny: Callable[..., Path], config: ModelConfig) -> Path:
    """A model directory of the direct method."""
    return write_tiny(tmp_path / "tiny", config)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders ``dark`` and ``light`` of nine noisy pictures each, to train on."""
    return draw_pictures(tmp_path_factory.mktemp("pictures"), 9)


@pytest.fixture
def picture() -> Callable[..., Image.Image]:
    """A colourful picture of any size."""

    def make(width: int = 12, height: int = 10, seed: int = 0) -> Image.Image:
        rng = np.random.default_rng(seed)
        return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))

    return make
