"""What a translator takes, gives back and refuses."""

import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from zoo_core.errors import DataError, UsageError, WeightsError
from zoo_core.translate.engine import resolve_device, resolve_precision, supports_bfloat16


@pytest.fixture
def translator(tiny_model):
    return zoo.load(tiny_model, device="cpu", precision="float32")


@pytest.fixture
def coded(tmp_path, write_tiny, code_config):
    return zoo.load(write_tiny(tmp_path / "coded", code_config), precision="float32")


def expected(translator, x, to):
    """The nets' own answer for a tensor whose size they take as it is."""
    from zoo_core.contracts.signals import Condition

    method = translator.method
    with torch.inference_mode():
        return method.translate(
            x,
            Condition(torch.zeros(len(x), len(translator.domains))),
            Condition.of(translator.domains, to, len(x)),
        )


@pytest.mark.numeric
def test_float32_is_exactly_what_the_nets_give(translator):
    x = torch.rand(3, 3, 16, 18) * 2 - 1
    assert torch.equal(translator(x, to="noto"), expected(translator, x, "noto"))


def test_target_changes_the_output(translator):
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    assert not torch.equal(translator(x, to="noto"), translator(x, to="apple"))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (5, 3), (17, 23), (64, 16)])
def test_any_size_comes_back_in_its_size(translator, picture, size):
    output = translator(picture(*size), to="noto")
    assert isinstance(output, Image.Image)
    assert output.size == size


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "I;16", "F"])
def test_every_mode_of_picture_is_taken(translator, tmp_path, mode):
    image = Image.new("L", (9, 7), 100)
    image = Image.new("I;16", (9, 7), 30000) if mode == "I;16" else image.convert(mode)
    assert translator(image, to="noto").size == (9, 7)
    suffix = ".png" if mode in ("L", "1", "P", "RGBA", "LA", "I;16") else ".tif"
    path = tmp_path / f"x{suffix}"
    image.save(path)
    output = translator(path, to="noto")
    kept = mode if mode in ("I;16", "F") else "RGB"  # deep grey keeps its depth
    assert (output.mode, output.size) == (kept, (9, 7))


def test_transparent_pixels_count_as_white(translator):
    clear = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    white = Image.new("RGB", (16, 16), (255, 255, 255))
    output = translator(clear, to="noto")
    assert np.array_equal(output.convert("RGB"), translator(white, to="noto"))
    assert output.getchannel("A").getextrema() == (0, 0)


def test_photographs_are_turned_upright(translator, picture, tmp_path):
    image = picture(20, 12)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    output = translator(tmp_path / "turned.png", to="noto")
    assert output.size == (12, 20)
    assert np.array_equal(output, translator(image.rotate(-90, expand=True), to="noto"))


def test_each_kind_comes_back_as_it_came(translator, picture, tmp_path):
    image = picture()
    image.save(tmp_path / "x.png")
    array = np.asarray(image)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1).float() / 127.5 - 1
    outputs = {
        "path": translator(tmp_path / "x.png", to="noto"),
        "text": translator(str(tmp_path / "x.png"), to="noto"),
        "pil": translator(image, to="noto"),
        "array": translator(array, to="noto"),
        "arrays": translator(np.stack([array, array]), to="noto"),
        "tensor": translator(tensor, to="noto"),
        "tensors": translator(tensor[None], to="noto"),
    }
    assert all(isinstance(outputs[key], Image.Image) for key in ("path", "text", "pil"))
    assert outputs["array"].shape == array.shape
    assert outputs["arrays"].shape == (2, *array.shape)
    assert outputs["tensor"].shape == tensor.shape
    assert outputs["tensors"].shape == (1, *tensor.shape)
    assert np.array_equal(outputs["pil"], outputs["array"])
    assert np.array_equal(outputs["pil"], outputs["path"])
    bytes_ = ((outputs["tensor"] + 1) * 127.5).round().permute(1, 2, 0).numpy()
    assert np.abs(bytes_ - outputs["array"]).max() <= 1


def test_list_gives_a_list_in_order_whatever_the_sizes(translator, picture):
    images = [picture(8 + i % 3, 8, seed=i) for i in range(11)]
    outputs = translator([*images, np.asarray(images[0])], to="noto", batch=4)
    assert [output.size for output in outputs[:-1]] == [image.size for image in images]
    assert isinstance(outputs[-1], np.ndarray)
    for image, output in zip(images, outputs, strict=False):
        assert np.abs(np.asarray(translator(image, to="noto"), int) - output).max() <= 1


def test_folder_gives_a_list_by_name(translator, picture, tmp_path):
    for i, name in enumerate(["b.png", "a.png", "sub/c.png"]):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        picture(8 + i, 8).save(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("x")
    outputs = translator(tmp_path / "in", to="noto")
    assert [output.width for output in outputs] == [9, 8, 10]


def test_all_gives_every_domain(translator, picture):
    outputs = translator(picture(), to="all")
    assert sorted(outputs) == ["apple", "noto", "twemoji"]
    assert np.array_equal(outputs["noto"], translator(picture(), to="noto"))
    assert sorted(translator(picture(), to="all", source="noto")) == ["apple", "twemoji"]


def test_size_asked_for_is_the_working_and_output_size(translator, picture):
    assert translator(picture(40, 20), to="noto", size=10).size == (20, 10)


@pytest.mark.numeric
def test_tiles_join_without_a_seam(translator):
    x = torch.rand(1, 3, 120, 90) * 2 - 1
    whole = translator(x, to="noto")
    tiled = translator(x, to="noto", limit=1500)
    # Two 3x3 convolutions see two pixels far: only what overlaps blends.
    assert (whole - tiled).abs().mean() < 0.01


def test_input_is_left_as_it_was(translator, picture):
    x = torch.rand(2, 3, 8, 8)
    before = x.clone()
    translator(x, to="noto")
    assert torch.equal(x, before)
    image = picture()
    translator(image, to="noto")
    assert np.array_equal(image, picture())


def test_attributes_are_set_by_mapping_and_kept_from_the_source(
    tmp_path, write_tiny, attribute_config
):
    model = zoo.load(write_tiny(tmp_path / "attributes", attribute_config), precision="float32")
    assert model.engine.targets({"Male": 1, "Black": 0}, None) == {"Male+no-Black": [0, 0, 1]}
    assert model.engine.targets("Blond", {"Black": 1, "Male": 1}) == {"Blond": [0, 1, 1]}
    assert list(model.engine.targets("all", None)) == ["Black", "Blond", "Male"]
    x = torch.rand(1, 3, 8, 8)
    assert not torch.equal(model(x, to="Male"), model(x, to={"Male": 1, "Blond": 1}))
    with pytest.raises(UsageError, match='Did you mean "Blond"'):
        model(x, to={"Blont": 1})


@pytest.mark.parametrize("to", ["notto", {"noto": 1, "apple": 1}, {}, ""])
def test_wrong_target_lists_the_domains(translator, picture, to):
    with pytest.raises(UsageError, match=r"apple, noto, twemoji"):
        translator(picture(), to=to)


def test_near_target_is_suggested(translator, picture):
    with pytest.raises(UsageError, match='Did you mean "twemoji"'):
        translator(picture(), to="twemogi")


@pytest.mark.parametrize("option", [{"size": 0}, {"batch": 0}, {"limit": -1}])
def test_counts_below_one_are_errors(translator, picture, option):
    with pytest.raises(UsageError, match="at least 1"):
        translator(picture(), to="noto", **option)


@pytest.mark.parametrize(
    "x", [3, None, [], {"a": 1}, np.zeros((4, 4, 3)), torch.zeros(3, 4, 4).long(), torch.ones(5)]
)
def test_what_is_no_picture_is_an_error(translator, x):
    with pytest.raises(UsageError):
        translator(x, to="noto")


def test_missing_file_and_empty_folder_are_errors(translator, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        translator(tmp_path / "cat.png", to="noto")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no picture"):
        translator(tmp_path / "empty", to="noto")


@pytest.mark.numeric
def test_cycle_gives_the_way_there_and_back(translator):
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    there, back = translator.cycle(x, to="noto", source="apple")
    assert torch.equal(there, translator(x, to="noto"))
    assert torch.equal(back, translator(there, to="apple"))
    with pytest.raises(UsageError, match="way back"):
        translator.cycle(x, to="noto")


def test_two_domains_need_no_source(coded):
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    there, back = coded.cycle(x, to="night")
    assert torch.equal(there, coded(x, to="night", source="day"))
    assert torch.equal(back, coded(there, to="day"))


@pytest.mark.numeric
def test_code_decodes_to_the_translation(coded):
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    code = coded.encode(x, source="day")
    assert torch.equal(coded.decode(code, "night"), coded(x, to="night"))
    assert torch.equal(coded(x, to="all")["night"], coded(x, to="night"))


def test_method_without_code_says_so(translator):
    with pytest.raises(UsageError, match="has no code"):
        translator.encode(torch.zeros(1, 3, 8, 8))


def test_codes_of_different_sizes_are_refused(coded, picture):
    with pytest.raises(UsageError, match="differ in shape"):
        coded.encode([picture(32, 32), picture(64, 64)], source="day")


@pytest.mark.numeric
def test_bfloat16_stays_near_float32(tiny_model):
    exact = zoo.load(tiny_model, device="cpu", precision="float32")
    quick = zoo.load(tiny_model, device="cpu", precision="bfloat16")
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    gap = (exact(x, to="noto") - quick(x, to="noto")).abs().max()
    assert 0 < gap < 0.05
    assert quick(x, to="noto").dtype == torch.float32


def test_training_nets_are_dropped(translator):
    assert list(translator.method.nets) == ["generator"]
    assert not any(parameter.requires_grad for parameter in translator.method.parameters())


@pytest.mark.numeric
def test_precision_follows_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert supports_bfloat16("cpu")
    assert resolve_precision("cpu") == torch.bfloat16
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert resolve_precision("cpu") == torch.float32
    assert resolve_precision("cpu", "bfloat16") == torch.bfloat16
    with pytest.raises(UsageError, match='Did you mean "bfloat16"'):
        resolve_precision("cpu", "bfloat")


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cpu:x"])
def test_devices_that_are_not_there_are_errors(device):
    with pytest.raises(UsageError, match="device"):
        resolve_device(device)


def test_card_and_domains_are_at_hand(translator):
    assert list(translator.domains) == ["apple", "noto", "twemoji"]
    assert translator.card.data["library_name"] == "zoo"
    assert "A tiny model." in str(translator.card)
    assert "apple, noto, twemoji" in repr(translator)


def test_run_directory_stands_for_its_model(tmp_path, write_tiny, config, picture):
    write_tiny(tmp_path / "run" / "model", config)
    (tmp_path / "run" / "config.yaml").write_text("of the run: x")
    (tmp_path / "run" / "checkpoint").mkdir()
    assert zoo.load(tmp_path / "run", precision="float32")(picture(), to="noto").size == (12, 10)


def test_run_that_has_not_ended_says_so(tmp_path, tiny_host):
    (tmp_path / "run" / "checkpoint").mkdir(parents=True)
    with pytest.raises(WeightsError, match="not written a model yet"):
        zoo.load(tmp_path / "run")


def test_file_instead_of_directory_says_what_to_give(tiny_model):
    with pytest.raises(UsageError, match="Give the directory"):
        zoo.load(tiny_model / "model.safetensors")


def test_missing_weights_are_an_error(tiny_model):
    (tiny_model / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="missing"):
        zoo.load(tiny_model)


@pytest.mark.parametrize("name", ["nothing", "so/me/where", "./nothing", "", "a\0b", "x" * 5000])
def test_unknown_model_is_an_error(tiny_host, name):
    with pytest.raises(UsageError, match=r"no model of this name|no such directory|no model"):
        zoo.load(name)


def test_loading_moves_no_random_numbers(tiny_model):
    torch.manual_seed(5)
    first = torch.rand(2)
    torch.manual_seed(5)
    zoo.load(tiny_model, precision="float32")
    assert torch.equal(torch.rand(2), first)


def test_eight_threads_get_what_one_gets(translator, picture):
    pictures = [picture(9 + number, 12) for number in range(8)]
    alone = [np.asarray(translator(image, to="noto")) for image in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda image: np.asarray(translator(image, to="noto")), pictures))
    assert all(map(np.array_equal, alone, together))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_gives_what_the_original_gives(translator, picture, copied):
    image = picture(9, 12)
    output = np.asarray(copied(translator)(image, to="noto"))
    assert np.array_equal(output, np.asarray(translator(image, to="noto")))


def test_importing_the_public_face_imports_no_torch():
    code = "import sys, zoo; dir(zoo); zoo.hookimpl; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0


def test_public_face_refuses_other_names():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = zoo.nonsense


def test_pattern_without_a_match_lists_nothing(tiny_host):
    assert zoo.list_models("no-such-*") == []


def test_pictures_are_rendered_in_one_way(tiny_model):
    with pytest.raises(UsageError, match="a picture is made in one way only"):
        zoo.load(tiny_model, renderer=object())
    with pytest.raises(UsageError, match="renderer"):
        zoo.load(tiny_model, renderer="none:such=1")
