"""Two processes on halves of the same batches train the nets that one process trains."""

from pathlib import Path

import pytest
import torch

import zoo
from zoo_core.errors import ZooError
from zoo_train.config import RunConfig
from zoo_train.request import resolve
from zoo_train.start import train_run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

# CycleGAN's starting weights have gradients near zero, of which Adam makes full steps in whatever
# direction rounding points: at the published rate such noise grows to 1e-2 within ten steps. A
# small rate keeps it below 1e-6, while gradients that were averaged wrongly would still show.
SMALL = {
    "cyclegan": {
        "width": 8,
        "blocks": 1,
        "critic_width": 8,
        "critic_layers": 1,
        "pool": 6,
        "lr": 2e-5,
    },
    "stargan": {"width": 8, "blocks": 1, "critic_width": 8, "critic_layers": 3, "n_critic": 2},
}


def config(method: str, pictures: Path, processes: int, batch: int = 4) -> RunConfig:
    loop = {"batch": batch, "steps": 10, "precision": "float32", "ema": None}
    settings = {**SMALL[method], **{f"train.{key}": value for key, value in loop.items()}}
    return resolve(
        method=method,
        preset="32px",
        size=16,
        settings=settings,
        domains={name: str(pictures / name) for name in ("dark", "light")},
        device="cpu",
        processes=processes,
    )


@pytest.mark.numeric
@pytest.mark.parametrize("method", SMALL)
def test_two_processes_agree_with_one(method: str, pictures: Path, tmp_path: Path) -> None:
    outputs = []
    inputs = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    for processes in (1, 2):
        run = tmp_path / str(processes)
        train_run(config(method, pictures, processes), run, quiet=True)
        translator = zoo.load(str(run), device="cpu", precision="float32")
        outputs.append(torch.cat([translator(inputs, to=name) for name in ("dark", "light")]))
    assert (outputs[0] - outputs[1]).abs().max() < 1e-3
    assert (outputs[0] - inputs.repeat(2, 1, 1, 1)).abs().max() > 1e-2


def test_an_error_of_a_process_reaches_the_user(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(ZooError) as caught:
        train_run(config("stargan", pictures, 2, batch=3), tmp_path / "run", quiet=True)
    assert caught.value.asked == "batch 3"
    assert "2 processes" in caught.value.problem
