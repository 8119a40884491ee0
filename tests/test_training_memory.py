"""Data in memory trains as the same pictures in folders do, and its values are never guessed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

import zoo
from zoo_core.cli import run as zoo_command
from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, TrainingError, UsageError, ZooError
from zoo_images.codec import ImageCodec
from zoo_testing.small_runs import NAMES, train_small
from zoo_train.data.dataset import DataSet, open_sources
from zoo_train.data.memory import signals_of

pytestmark = pytest.mark.usefixtures("one_thread")


def arrays(folder: Path) -> np.ndarray:
    """(N, H, W, 3) the pictures of a folder."""
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])


@pytest.fixture
def in_memory(pictures: Path) -> dict[str, Any]:
    return {name: arrays(pictures / name) for name in NAMES}


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Path]:
    def train(name: str, data: Any, **more: Any) -> Path:
        settings = {"train.flip": True} | more.pop("settings", {})
        return train_small(tmp_path / name, data, settings=settings, steps=3, **more)

    return train


def opened(data: Any, **config: Any) -> DataSet:
    """Data of one domain ``a``, as a run opens it."""
    return open_sources(
        {"a": data if isinstance(data, str) else "memory:x"},
        codec=ImageCodec(TensorSpec(shape=(3, 16, 16), stride=2)),
        config=TrainConfig(**config),
        memory={} if isinstance(data, str) else {"a": signals_of("a", data)},
    )


def drawn(data: DataSet) -> torch.Tensor:
    store = data.stores["a"]
    return store.batch(range(len(store)))


class Pairs(Dataset):
    """Pictures with labels."""

    def __init__(self, pictures: Any) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.pictures[index], index % 2


class Stream(IterableDataset):
    def __iter__(self) -> Any:
        return iter(())


def tensor(pictures: np.ndarray) -> torch.Tensor:
    """uint8 (N, 3, H, W)."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2)


FORMS: dict[str, tuple[Callable[[np.ndarray], Any], str | None]] = {
    "array": (lambda x: x, None),
    "list of arrays": (list, None),
    "bytes as a tensor": (tensor, None),
    "images": (lambda x: [Image.fromarray(each) for each in x], None),
    "data set of images": (lambda x: Pairs([Image.fromarray(each) for each in x]), None),
    "data set of tensors": (lambda x: Pairs(tensor(x) / 255), "0,1"),
    "part of a data set": (lambda x: Subset(Pairs([*x, *x]), range(len(x))), None),
    "tensor from 0 to 1": (lambda x: tensor(x).float() / 255, "0,1"),
    "tensor from -1 to 1": (lambda x: tensor(x).float() / 127.5 - 1, "-1,1"),
    "tensors in tuples": (lambda x: TensorDataset(tensor(x)), None),
    "rows": (lambda x: [{"image": each, "name": "n", "label": 3} for each in x], None),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_pictures_of_the_folder(form: str, pictures: Path) -> None:
    make, values = FORMS[form]
    ranges = {} if values is None else {"a": values}
    data = opened(make(arrays(pictures / "dark")), ranges=ranges)
    assert torch.equal(drawn(data), drawn(opened(str(pictures / "dark"))))


def test_a_data_set_of_hugging_face_gives_the_pictures_of_the_folder(pictures: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    images = [Image.fromarray(each) for each in arrays(pictures / "dark")]
    data = datasets.Dataset.from_dict(
        {"picture": images, "label": list(range(len(images)))},
        features=datasets.Features(picture=datasets.Image(), label=datasets.Value("int64")),
    )
    found = opened(data)
    assert torch.equal(drawn(found), drawn(opened(str(pictures / "dark"))))
    labels = found.stores["a"].labels
    assert labels is not None
    assert labels.tolist() == list(range(len(images)))
    with pytest.raises(UsageError) as caught:
        signals_of("a", datasets.DatasetDict(train=data))
    assert caught.value.hint == 'Give one of them, such as data["train"].'


def test_deep_integers_have_the_range_that_files_have(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4000, (4, 16, 16)).astype(np.uint16)
    (tmp_path / "deep").mkdir()
    for number, each in enumerate(values):
        Image.fromarray(each).save(tmp_path / "deep" / f"{number}.png")
    found, files = opened(values), opened(str(tmp_path / "deep"))
    assert torch.equal(drawn(found), drawn(files))
    assert "because all values fit 12 bits" in found.stores["a"].summary


def test_floats_that_are_no_bytes_keep_their_depth() -> None:
    values = np.random.default_rng(0).random((4, 16, 16, 3), np.float32)
    found = opened(values, ranges={"a": "0,1"})
    wanted = torch.from_numpy(values).permute(0, 3, 1, 2) * 2 - 1
    assert torch.allclose(drawn(found), wanted, atol=1e-4)


def test_floats_of_which_nobody_says_the_range_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        opened(np.zeros((2, 16, 16, 3), np.float32))
    assert caught.value.asked == "00000000: array of float32"
    assert '{"train.ranges": {"a": "0,1"}}' in str(caught.value.hint)


WRONG: dict[str, tuple[Any, type[ZooError]]] = {
    "one picture": (np.zeros((16, 16, 3), np.uint8), UsageError),
    "one tensor": (torch.zeros(3, 16, 16), UsageError),
    "stream": (Stream(), UsageError),
    "splits": ({"train": [], "test": []}, UsageError),
    "number": (7, UsageError),
    "nothing": ([], DataError),
    "rows without pictures": ([{"text": "x"}], UsageError),
    "two pictures a row": ([{"a": np.zeros((4, 4)), "b": np.zeros((4, 4))}], UsageError),
    "faulty": (Pairs(range(0, 4)), DataError),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_holds_no_signals_is_refused(case: str) -> None:
    data, error = WRONG[case]
    with pytest.raises(error) as caught:
        opened(data)
    assert caught.value.asked


def test_a_row_that_cannot_be_read_is_named() -> None:
    class Broken(Pairs):
        def __getitem__(self, index: int) -> tuple[Any, int]:
            raise OSError("no such file")

    with pytest.raises(DataError) as caught:
        signals_of("a", Broken([0, 1]))
    assert caught.value.problem == "row 0 cannot be read: OSError: no such file"


def test_labels_come_along() -> None:
    data = opened(Pairs(np.zeros((4, 16, 16, 3), np.uint8)))
    labels = data.stores["a"].labels
    assert labels is not None
    assert labels.tolist() == [0, 1, 0, 1]


def test_columns_that_are_not_used_are_told_of() -> None:
    rows = [{"image": np.zeros((16, 16, 3), np.uint8), "label": 1, "text": "x"}] * 2
    assert any("not used: column text" in line for line in opened(rows).describe())


def test_arrays_train_to_the_bytes_of_the_folder(
    train: Callable[..., Path], pictures: Path, in_memory: dict[str, Any]
) -> None:
    runs = [train("folder", pictures), train("memory", in_memory)]
    for name in ("model.safetensors", "training.safetensors", "golden.safetensors"):
        first, second = ((run / "model" / name).read_bytes() for run in runs)
        assert first == second, name
    first, second = (
        [
            {k: v for k, v in json.loads(line).items() if "per_second" not in k}
            for line in (run / "log" / "stats.jsonl").read_text().splitlines()
        ]
        for run in runs
    )
    assert first == second


def test_domains_are_as_data_by_the_name_of_its_domain(
    train: Callable[..., Path], pictures: Path, in_memory: dict[str, Any]
) -> None:
    mixed = {"dark": pictures / "dark", "light": in_memory["light"]}
    runs = [train("data", mixed), train("domains", None, domains=mixed)]
    configs, weights = (
        [(run / file).read_bytes() for run in runs]
        for file in ("config.yaml", "model/model.safetensors")
    )
    assert configs[0] == configs[1]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"data": [np.zeros((16, 16, 3), np.uint8)]}, "data (list)"),
        ({"data": {"dark": "x"}, "domains": {"light": "x"}}, "domains and data"),
    ],
)
def test_data_that_is_neither_a_folder_nor_by_domain_is_refused(
    given: dict[str, Any], asked: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        zoo.train("cyclegan", out=tmp_path / "run", **given)
    assert caught.value.asked == asked
    assert not (tmp_path / "run").exists()


def test_a_run_in_memory_goes_on_with_the_same_data_only(
    train: Callable[..., Path], in_memory: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    out = train("run", in_memory)
    zoo.train(out=out, resume=True, domains=in_memory, steps=4, quiet=True)
    assert (out / "samples" / "000004.png").is_file()
    other = in_memory | {"dark": in_memory["dark"][::-1]}
    with pytest.raises(TrainingError) as caught:
        zoo.train(out=out, resume=True, domains=other, steps=5, quiet=True)
    assert "dark has other signals" in caught.value.problem
    assert zoo_command(["train", "--resume", str(out), "--steps", "5"]) == 2
    assert "zoo.train(out=RUN, resume=True, domains=" in capsys.readouterr().err


def test_a_share_of_it_can_be_held_out_for_validation(
    train: Callable[..., Path], in_memory: dict[str, Any]
) -> None:
    out = train(
        "run",
        in_memory,
        settings={"train.hold_out": 0.4},
        controls={"validate": "every=3"},
    )
    assert "validation/" in (out / "log" / "stats.jsonl").read_text()
