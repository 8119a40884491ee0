"""Sources: every layout is found and described, every mistake is named with its remedy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo_core.contracts.component import Component
from zoo_core.contracts.signals import MIXED, Domains, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, PluginError, UsageError, ZooError
from zoo_images.codec import ImageCodec
from zoo_train.data.dataset import open_sources
from zoo_train.data.folders import SourceFiles
from zoo_train.data.sources import parse_domains, parse_source

CODEC = ImageCodec(TensorSpec(shape=(3, 8, 8)))


def pictures(folder, count=2, size=(8, 8), suffix="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image = Image.new("RGB", size, (number, 0, 0))
        image.putpixel((size[0] // 2, size[1] // 2), (255, 255, 255))  # one that shows something
        image.save(folder / f"{number}.{suffix}")
    return folder


def celeba(root, count=6):
    pictures(root / "img_align", count)
    rows = [f"{i}.png {1 if i % 2 else -1} {1 if i < 3 else -1}" for i in range(count)]
    (root / "list_attr.txt").write_text("\n".join([f"{count}", "Male Young", *rows]))
    splits = [f"{i}.png {2 if i == 5 else 0}" for i in range(count)]
    (root / "list_eval_partition.txt").write_text("\n".join(splits))
    return root


def opened(domains=None, **options):
    return open_sources(domains or {}, codec=CODEC, config=TrainConfig(), **options)


def test_two_folders_are_two_domains_described_in_plain_words(tmp_path):
    a, b = pictures(tmp_path / "a", 3), pictures(tmp_path / "b" / "deep", 2, (16, 16), "jpg").parent
    data = opened({"photo": str(a), "draw-ing": str(b)})
    assert data.domains.names == ("photo", "draw-ing")
    assert data.domains.kind == "domains"
    assert data.describe() == [
        f"photo: 3 pictures from {a} (8×8 px, PNG)",
        f"draw-ing: 2 pictures from {b} (16×16 px, JPEG)",
    ]
    assert data.stores["draw-ing"].names == ["deep/0.jpg", "deep/1.jpg"]
    assert data.stores["photo"].labels is None


def test_hidden_and_foreign_files_are_passed_over(tmp_path):
    folder = pictures(tmp_path / "a", 2)
    pictures(folder / ".cache", 3)
    pictures(folder / "__MACOSX", 3)
    (folder / "._0.png").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    (folder / "loop").symlink_to(folder)
    assert len(opened({"a": str(folder)}).stores["a"]) == 2


def test_broken_pictures_are_reported_by_name(tmp_path):
    folder = pictures(tmp_path / "a", 8)
    for number in range(7):
        (folder / f"{number}.png").write_bytes(b"")
    lines = opened({"a": str(folder)}).describe()
    assert lines[0].startswith("a: 1 picture from")
    assert "7 skipped" in lines[1]
    assert "0.png: the file is empty" in lines[2]
    assert lines[-1].strip() == "and 2 more"


def test_folders_named_by_digits_give_class_numbers(tmp_path):
    for digit in (0, 7, 12):
        pictures(tmp_path / "train" / str(digit), 1)
    (tmp_path / "train" / "0" / "0.png").write_bytes(b"")
    store = opened({"a": str(tmp_path / "train")}).stores["a"]
    assert store.labels.tolist() == [12, 7]
    assert store.names == ["12/0.png", "7/0.png"]


def test_a_folder_with_splits_is_read_by_split(tmp_path):
    pictures(tmp_path / "train", 3)
    pictures(tmp_path / "test", 1)
    assert len(opened({"a": str(tmp_path)}).stores["a"]) == 3
    assert len(opened({"a": str(tmp_path)}, split="test").stores["a"]) == 1
    assert len(opened({"a": str(tmp_path)}, split="all").stores["a"]) == 4
    with pytest.raises(DataError, match='no split "val"'):
        opened({"a": str(tmp_path)}, split="val")
    with pytest.raises(UsageError, match='Did you mean "train"'):
        opened({"a": str(tmp_path)}, split="trian")


@pytest.mark.parametrize("layout", ["letters", "split", "plain"])
def test_a_root_is_read_in_every_layout(tmp_path, layout):
    where = {"letters": "trainA trainB", "split": "train/A train/B", "plain": "A B"}[layout]
    for count, name in enumerate(where.split(), 1):
        pictures(tmp_path / name, count)
    if layout != "plain":
        pictures(tmp_path / where.split()[0].replace("train", "test"), 5)
    data = opened(data=str(tmp_path))
    assert data.domains.names == ("A", "B")
    assert [len(store) for store in data.stores.values()] == [1, 2]
    if layout != "plain":
        assert len(opened(data=str(tmp_path), split="test").stores["A"]) == 5
        with pytest.raises(DataError, match='no split "val"'):
            opened(data=str(tmp_path), split="val")


def test_a_pattern_selects_files(tmp_path):
    pictures(tmp_path, 3)
    pictures(tmp_path, 1, suffix="jpg")
    assert len(opened({"a": str(tmp_path / "*.png")}).stores["a"]) == 3
    with pytest.raises(DataError, match="matches"):
        opened({"a": str(tmp_path / "*.gif")})


def test_a_pattern_selects_files_by_number(tmp_path):
    pictures(tmp_path, 12)  # 0.png to 11.png
    assert opened({"a": f"{tmp_path}/{{9..20}}.png"}).stores["a"].names == [
        "10.png",
        "11.png",
        "9.png",
    ]
    assert len(opened({"a": f"{tmp_path}/*{{0..1}}.png"}).stores["a"]) == 4
    with pytest.raises(DataError, match="matches"):
        opened({"a": f"{tmp_path}/{{01..09}}.png"})
    for wrong in ("{3..2}", "{0..99999}", "{0..999}{0..999}"):
        with pytest.raises(UsageError, match="range"):
            opened({"a": f"{tmp_path}/{wrong}.png"})


def test_attributes_are_labels_of_one_store(tmp_path):
    data = opened(data=str(celeba(tmp_path)), attributes=["Young", "Male"])
    assert data.domains.names == ("Young", "Male")
    assert data.domains.kind == "attributes"
    assert data.stores[MIXED].labels.tolist() == [[1, 0], [1, 1], [1, 0], [0, 1], [0, 0]]
    assert data.describe()[0].endswith("(8×8 px, PNG); Young 3, Male 2")


def test_attributes_make_domains(tmp_path):
    root = celeba(tmp_path)
    data = opened({"m": f"{root}:Male", "w": f"{root}:!Male", "both": f"{root}:Male,Young"})
    assert data.stores["m"].names == ["1.png", "3.png"]
    assert data.stores["w"].names == ["0.png", "2.png", "4.png"]
    assert data.stores["both"].names == ["1.png"]
    assert opened({"m": f"{root}:Male"}, split="test").stores["m"].names == ["5.png"]
    assert len(opened({"any": str(root)}).stores["any"]) == 5


def test_a_data_set_of_a_plugin_is_a_source(tmp_path, monkeypatch):
    from zoo_core.host import plugins

    def squares(root, split):
        assert (root, split) == (tmp_path, "test")
        for number in range(3):
            yield np.full((8, 8), number, np.uint8), number

    monkeypatch.setattr(plugins.PluginHost, "load", lambda self, hook, name: squares)
    monkeypatch.setattr(
        plugins.PluginHost,
        "components",
        lambda self, hook: {"squares": Component("source", "squares", "made:squares")},
    )
    store = opened({"a": f"squares:{tmp_path}"}, split="test").stores["a"]
    assert store.labels.tolist() == [0, 1, 2]
    assert store.names == ["00000000", "00000001", "00000002"]

    def failing(root, split):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(plugins.PluginHost, "load", lambda self, hook, name: failing)
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        opened({"a": f"squares:{tmp_path}"})


def test_a_source_that_recognises_folders_is_asked_for_by_its_name_too(tmp_path):
    root = celeba(tmp_path / "faces")
    assert len(opened({"any": f"attribute-list:{root}"}).stores["any"]) == 5
    with pytest.raises(DataError) as caught:
        opened({"any": f"attribute-list:{pictures(tmp_path / 'plain')}"})
    assert caught.value.problem == "it is in another layout"


def test_a_source_of_a_plugin_recognises_its_own_folders(tmp_path, monkeypatch):
    from zoo_core.host import plugins

    class Flat:
        root = pictures(tmp_path / "flat")

        def select(self, expression, split, codec):
            assert (expression, split) == ("Loud", "train")
            return SourceFiles([self.root / "0.png"], ["0.png"], None, "flat")

        def label(self, attributes, split, codec):
            files = sorted(self.root.iterdir())
            labels = torch.tensor([[1.0], [0.0]])
            found = SourceFiles(files, [file.name for file in files], labels, "flat")
            return found, Domains(tuple(attributes), "attributes")

    class Source:
        @staticmethod
        def recognise(root):
            return Flat() if root == Flat.root else None

    monkeypatch.setattr(plugins.PluginHost, "load", lambda self, hook, name: Source)
    monkeypatch.setattr(
        plugins.PluginHost,
        "components",
        lambda self, hook: {"flat": Component("source", "flat", "made:Flat")},
    )
    assert opened({"loud": f"{Flat.root}:Loud"}).stores["loud"].names == ["0.png"]
    assert opened(data=str(Flat.root), attributes=["Loud"]).domains.names == ("Loud",)


def test_missing_digits_are_an_error(tmp_path):
    for name in ("mnist", "usps"):
        with pytest.raises(DataError, match=str(tmp_path)):
            opened({"a": f"{name}:{tmp_path}"})


def test_mistakes_are_named_with_their_remedy(tmp_path):
    good = str(pictures(tmp_path / "good"))
    empty = tmp_path / "empty"
    empty.mkdir()
    words = tmp_path / "words"
    words.mkdir()
    (words / "a.txt").write_text("x")
    root = celeba(tmp_path / "celeba")
    cases = [
        (UsageError, {}, {}, "at least 1"),
        (UsageError, {"a": good}, {"need": (2, 2)}, "at least 2 are needed, 1 given"),
        (UsageError, dict.fromkeys("abc", good), {"need": (2, 2)}, "at most 2"),
        (UsageError, {"a": good}, {"data": good}, "both name the data"),
        (UsageError, {}, {"attributes": ["Male"]}, "--data ROOT"),
        (UsageError, {}, {"data": str(root)}, "--attributes"),
        (UsageError, {}, {"data": str(root), "attributes": ["Mael"]}, 'mean "Male"'),
        (UsageError, {}, {"data": str(root), "attributes": ["Male", "Male"]}, "named twice"),
        (DataError, {}, {"data": good, "attributes": ["Male"]}, "no list of attributes"),
        (DataError, {}, {"data": good}, "no subfolder per domain"),
        (DataError, {}, {"data": str(tmp_path / "no")}, "no such folder"),
        (DataError, {"a": str(tmp_path / "no")}, {}, "no such folder"),
        (DataError, {"a": str(empty)}, {}, "it is empty.*end in .png"),
        (DataError, {"a": str(words)}, {}, "1 other files .1 × .txt"),
        (DataError, {"a": str(words / "a.txt")}, {}, "it is a file, not a folder"),
        (DataError, {"a": f"{good}:Male"}, {}, "no list of attributes"),
        (UsageError, {"a": f"{root}:Mael"}, {}, 'mean "Male"'),
        (UsageError, {"a": f"{root}:"}, {}, "names no attribute"),
        (DataError, {"a": f"{root}:Male,!Male"}, {}, "is so"),
        (UsageError, {"a": "mnits:somewhere"}, {}, "data source or folder"),
        (UsageError, {"a": "mnist:"}, {}, "names no folder"),
        (UsageError, {"a": ""}, {}, "empty"),
        (UsageError, {"mixed": good}, {}, "Rename"),
        (UsageError, {"a\x1bb": good}, {}, "printable"),
        (UsageError, {"a" * 81: good}, {}, "at most 80"),
    ]
    for kind, domains, options, fault in cases:
        with pytest.raises(kind, match=fault):
            opened(domains, **options)


def test_an_attribute_that_always_holds_is_refused(tmp_path):
    root = celeba(tmp_path, 3)
    with pytest.raises(DataError, match="every picture"):
        opened(data=str(root), attributes=["Young"])


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        (["a"], "NAME=SOURCE"),
        (["=x"], "NAME=SOURCE"),
        (["a="], "NAME=SOURCE"),
        (["a=x", "a=y"], "named twice"),
        (["all=x"], "Rename"),
    ],
)
def test_malformed_domains_are_refused(texts, fault):
    with pytest.raises(UsageError, match=fault):
        parse_domains(texts)


def test_domains_are_taken_apart_at_the_first_equals_sign():
    assert parse_domains(["a=x=y", "b = C:\\z "]) == {"a": "x=y", "b": "C:\\z"}


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_source_or_a_usage_error(text):
    try:
        source = parse_source(text, ["mnist"])
    except UsageError:
        return
    assert source.kind in ("folder", "pattern", "attribute", "set")


@given(st.lists(st.text(max_size=12), max_size=4))
@settings(max_examples=100, deadline=None)
def test_any_texts_are_domains_or_a_usage_error(texts):
    try:
        domains = parse_domains(texts)
    except UsageError:
        return
    assert len(domains) == len(texts)


def test_a_folder_wins_over_a_prefix(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist:here").mkdir()
    assert parse_source("mnist:here", ["mnist"]).kind == "folder"
    assert parse_source("mnist:there", ["mnist"]).kind == "set"
    (tmp_path / "faces").mkdir()
    source = parse_source("faces:!Male", ["mnist"])
    assert (source.kind, source.argument) == ("attribute", "!Male")


def test_every_error_of_a_source_is_one_for_the_user(tmp_path):
    with pytest.raises(ZooError):
        opened({"a": "x" * 5000})
