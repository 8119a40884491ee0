"""What is said of doubtful data before a training, with counts."""

from zoo_core.contracts.signals import Domains
from zoo_core.finding import LeftOut
from zoo_runs.data_checks import doubts, leaks
from zoo_train.data.dataset import DataSet
from zoo_train.data.folders import SourceFiles


def said(**contents):
    hashes = {domain: list(map(str, each)) for domain, each in contents.items()}
    names = {domain: [f"{one}.png" for one in range(len(each))] for domain, each in hashes.items()}
    return doubts(hashes, names, "picture")


def test_ordinary_data_is_not_doubted():
    assert said(a=range(10), b=range(100, 900)) == []


def test_few_pictures_are_counted():
    assert said(a=range(9), b=range(100, 110)) == ["a has 9 pictures; fewer than 10 teach little"]


def test_duplicates_within_a_domain_are_counted_with_the_first():
    assert said(a=[*range(10), 3, 3], b=range(100, 110)) == [
        "2 pictures of a repeat another of it byte for byte, such as 10.png"
    ]


def test_the_same_folder_as_two_domains_is_named():
    assert said(a=range(12), b=range(12)) == [
        "12 of 12 pictures of a are in b, too, byte for byte, such as 0.png"
    ]


def test_some_pictures_of_two_domains_are_counted():
    assert said(a=range(12), b=range(10, 30)) == [
        "2 of 12 pictures of a are in b, too, byte for byte, such as 10.png"
    ]


def test_uneven_domains_are_named_with_their_sizes():
    assert said(a=range(10), b=range(100, 1100)) == [
        "b has 1,000 pictures and a 10: each of a is seen 100 times as often"
    ]


def test_attributes_of_one_folder_are_one_part():
    assert said(mixed=range(40)) == []


def test_test_files_that_are_trained_on_under_another_name_are_counted(tmp_path):
    train, test = tmp_path / "train.png", [tmp_path / f"test{at}.png" for at in range(3)]
    train.write_bytes(b"0")
    for at, path in enumerate(test):
        path.write_bytes(b"%d" % at)
    left_out = LeftOut({"of the split test": test})
    source = SourceFiles([train], ["train.png"], None, "here", "train", left_out)
    data = DataSet(Domains(("a",)), {}, {"a": source}, "picture", {"a": [train]})
    assert leaks(data) == [
        "1 of 3 pictures of the split test of a are trained on under another name: test0.png"
    ]
