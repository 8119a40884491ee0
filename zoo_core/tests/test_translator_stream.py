"""Streams: in order, in bounded memory, with failures set apart."""

import threading

import pytest
import torch

import zoo
from zoo_core.contracts.codec import Item
from zoo_core.errors import DataError, PluginError, WeightsError
from zoo_core.translate.streaming import Job


@pytest.fixture
def translator(tiny_model):
    return zoo.load(tiny_model, device="cpu", precision="float32")


def job(name, width=8, live=None):
    """A job that counts how many of its pixels are alive."""

    def read():
        if "broken" in name:
            raise DataError("it is broken", asked=name)
        if live is not None:
            live.append(name)
        pixels = torch.rand(8, width, 3).mul(255).byte().numpy()
        return Item(pixels, name, "numpy", {"size": (8, width)})

    return Job(name, read)


def test_results_come_in_order_with_errors_in_their_places(translator):
    names = [f"{i}{'-broken' if i % 5 == 2 else ''}" for i in range(23)]
    jobs = [job(name, width=8 + i // 4) for i, name in enumerate(names)]
    results = list(translator.stream(jobs, "noto", batch=3))
    assert [result.name for result in results] == names
    assert [result.index for result in results] == list(range(23))
    for result in results:
        assert (result.error is not None) == ("broken" in result.name)
    with pytest.raises(DataError, match="broken"):
        _ = results[2].output
    assert results[0].output.shape == (8, 8, 3)


def test_inputs_are_taken_only_as_they_are_needed(translator):
    live: list[str] = []
    taken = 0

    def jobs():
        nonlocal taken
        for i in range(1000):
            taken += 1
            yield job(str(i), live=live)

    stream = translator.stream(jobs(), "noto", batch=4)
    for _ in range(10):
        next(stream)
    assert taken < 60
    stream.close()
    assert len(live) < 60


def test_files_are_finished_in_other_threads_and_outputs_dropped(translator):
    threads = set()

    def finish(result):
        threads.add(threading.current_thread().name)
        return result.outputs["noto"].shape

    results = list(translator.stream([job(str(i)) for i in range(9)], "noto", finish=finish))
    assert [result.value for result in results] == [(8, 8, 3)] * 9
    assert all(result.outputs == {} for result in results)
    assert threading.current_thread().name not in threads


def test_failure_to_finish_is_the_result_of_that_input(translator):
    def finish(result):
        if result.index == 1:
            raise OSError(28, "No space left on device")

    results = list(translator.stream([job(str(i)) for i in range(3)], "noto", finish=finish))
    assert [result.error is None for result in results] == [True, False, True]
    assert "No space left" in str(results[1].error)


def test_large_inputs_go_in_windows_between_small_ones(translator):
    jobs = [job("a"), job("b", width=200), job("c"), job("d", width=200)]
    results = list(translator.stream(jobs, "all", limit=800))
    assert [result.outputs["noto"].shape[1] for result in results] == [8, 200, 8, 200]
    assert all(len(result.outputs) == 3 for result in results)


def test_windows_of_a_large_input_are_cut_once_for_one_target(translator, monkeypatch):
    item = job("b", width=200).open()
    again = Job("b", lambda: item)
    cut = []
    windows = translator.codec.windows

    def counting(item, **settings):
        for window in windows(item, **settings):
            cut.append(item.name)
            yield window

    monkeypatch.setattr(translator.codec, "windows", counting)
    (one,) = translator.stream([again], "noto", limit=800)
    assert len(cut) == len(list(windows(item, limit=800))) > 2
    (every,) = translator.stream([again], "all", limit=800)
    assert (one.output == every.outputs["noto"]).all()
    alone = translator.translate(item.value, "apple", limit=800)
    assert (every.outputs["apple"] == alone).all()


def test_batches_are_full_where_shapes_agree(translator, monkeypatch):
    sizes = []
    translate = translator.engine.translate

    def counting(x, source, target):
        sizes.append(len(x))
        return translate(x, source, target)

    monkeypatch.setattr(translator.engine, "translate", counting)
    list(translator.stream([job(str(i)) for i in range(10)], "noto", batch=4))
    assert sizes == [4, 4, 2]


def test_windows_of_a_batch_are_bounded_by_their_extent(translator, monkeypatch):
    sizes = []
    translate = translator.engine.translate

    def counting(x, source, target):
        sizes.append(len(x))
        return translate(x, source, target)

    monkeypatch.setattr(translator.engine, "translate", counting)
    monkeypatch.setattr("zoo_core.translate.streaming.EXTENT", 3 * 16 * 16)
    list(translator.stream([job(str(i)) for i in range(7)], "noto", batch=64))
    assert sizes == [3, 3, 1]


@pytest.mark.parametrize("width", [8, 200], ids=["one window", "several windows"])
@pytest.mark.parametrize(
    ("spoil", "kind", "fault"),
    [
        (lambda x: x * float("nan"), WeightsError, "not finite"),
        (lambda x: x[..., :-1], PluginError, "the net made shape"),
    ],
    ids=["not finite", "misshapen"],
)
def test_what_nets_make_is_checked_and_an_error_of_its_input(
    translator, monkeypatch, width, spoil, kind, fault
):
    translate = translator.engine.translate
    monkeypatch.setattr(translator.engine, "translate", lambda *args: spoil(translate(*args)))
    (result,) = translator.stream([job("a", width=width)], "noto", limit=800, windows="own")
    assert isinstance(result.error, kind)
    assert result.error.asked == "a"
    assert fault in result.error.problem


def test_errors_of_the_program_are_not_swallowed(translator):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(translator.stream([job("a"), Job("b", fail)], "noto"))
