"""Lists of what pictures show, in the forms in which people have them."""

import pytest
from PIL import Image

from zoo_core.contracts.signals import MIXED, TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError, UsageError
from zoo_images.codec import ImageCodec
from zoo_images.sources.attribute_lists import labels
from zoo_images.sources.tables import read_table
from zoo_train.data.dataset import open_sources

CODEC = ImageCodec(TensorSpec(shape=(3, 8, 8)))
ROWS = [("000001", -1, -1), ("000002", 1, 1), ("000003", -1, 1), ("000004", 1, -1)]
SMILING = [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]


def pictures(folder, names=tuple(f"{row[0]}.jpg" for row in ROWS)):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (8, 8), (len(name), 0, 0)).save(folder / name)
    return folder


def opened(domains=None, **options):
    return open_sources(domains or {}, codec=CODEC, config=TrainConfig(), **options)


def labelled(root, *attributes, **options):
    return opened(data=root, attributes=list(attributes or ("Smiling", "Male")), **options)


def written(root, text, name="labels.csv", newline="\n"):
    path = root / name
    path.write_bytes(text.replace("\n", newline).encode())
    return path


def celeba_text(mark=""):
    rows = "\n".join(f"{name}.jpg {a:2d} {b:2d}" for name, a, b in ROWS)
    return f"{mark}{len(ROWS)}\nSmiling Male\n{rows}\n"


def test_case_13_kaggles_csv_with_a_nested_folder(tmp_path):
    pictures(tmp_path / "img_align_celeba" / "img_align_celeba")
    rows = "\n".join(f"{name}.jpg,{a},{b}" for name, a, b in ROWS)
    written(tmp_path, f"image_id,Smiling,Male\n{rows}\n", "list_attr_celeba.csv")
    parts = "\n".join(f"{row[0]}.jpg,{2 if at == 3 else 0}" for at, row in enumerate(ROWS))
    written(tmp_path, f"image_id,partition\n{parts}\n", "list_eval_partition.csv")
    data = labelled(str(tmp_path))
    assert data.stores[MIXED].labels.tolist() == SMILING[:3]
    assert "  left out: 1 of the split test: 000004.jpg" in data.describe()


def test_case_13_a_byte_order_mark_and_other_line_ends(tmp_path):
    pictures(tmp_path / "img_align_celeba")
    written(tmp_path, celeba_text("\ufeff"), "list_attr_celeba.txt", newline="\r\n")
    assert labelled(str(tmp_path)).stores[MIXED].labels.tolist() == SMILING


def test_case_13_a_list_of_jpg_beside_png(tmp_path):
    pictures(tmp_path / "img_align_celeba_png", [f"{row[0]}.png" for row in ROWS])
    written(tmp_path, celeba_text(), "list_attr_celeba.txt")
    data = labelled(str(tmp_path))
    assert data.stores[MIXED].labels.tolist() == SMILING
    assert any(
        "4 pictures have another suffix than list_attr_celeba.txt says, such as 000001.png for "
        "000001.jpg" in line
        for line in data.describe()
    )


def test_case_13_class_names_are_attributes_that_exclude_each_other(tmp_path):
    pictures(tmp_path / "images")
    text = "filename,label\n000001.jpg,dog\n000002.jpg,cat\n000003.jpg,dog\n000004.jpg,cat\n"
    written(tmp_path, text)
    data = labelled(str(tmp_path), "cat", "dog")
    assert data.stores[MIXED].labels.tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]
    assert data.domains.exclusive == (("cat", "dog"),)
    cats = opened({"cat": f"{tmp_path}:cat", "dog": f"{tmp_path}:dog"}).stores["cat"]
    assert list(cats.names) == ["000002.jpg", "000004.jpg"]
    with pytest.raises(UsageError) as caught:
        labelled(str(tmp_path), "Smiling")
    assert "cat" in str(caught.value)


@pytest.mark.parametrize(
    ("yes", "no"), [("1", "-1"), ("1", "0"), ("true", "false"), ("True", "False"), ("yes", "no")]
)
@pytest.mark.parametrize(("suffix", "sign"), [("csv", ","), ("csv", ";"), ("tsv", "\t")])
def test_marks_of_yes_and_no_in_tables(tmp_path, yes, no, suffix, sign):
    pictures(tmp_path)
    lines = [sign.join(("file", "Smiling", "Male"))]
    lines += [
        sign.join((f"{name}.jpg", yes if a > 0 else no, yes if b > 0 else no))
        for name, a, b in ROWS
    ]
    written(tmp_path, "\n".join(lines), f"labels.{suffix}")
    assert labelled(str(tmp_path)).stores[MIXED].labels.tolist() == SMILING


def test_names_with_spaces_in_celebas_list(tmp_path):
    names = ["my cat 1.jpg", "my cat 2.jpg"]
    pictures(tmp_path / "images", names)
    written(tmp_path, "2\nMale\nmy cat 1.jpg  1\nmy cat 2.jpg -1\n", "list_attr.txt")
    data = labelled(str(tmp_path), "Male")
    assert list(data.stores[MIXED].names) == names


def test_quoted_values_hold_the_separator(tmp_path):
    pictures(tmp_path, ["a, b.jpg", "c.jpg"])
    written(tmp_path, 'file,label\n"a, b.jpg","cat, small"\nc.jpg,dog\n')
    assert labelled(str(tmp_path), "cat, small").stores[MIXED].labels.tolist() == [[1], [0]]


def test_a_table_without_a_line_of_names(tmp_path):
    pictures(tmp_path)
    written(tmp_path, "000001.jpg,dog\n000002.jpg,cat\n000003.jpg,dog\n000004.jpg,cat\n")
    assert labelled(str(tmp_path), "cat").stores[MIXED].labels.tolist() == [[0], [1], [0], [1]]


def test_numbers_of_classes_are_attributes_named_after_their_column(tmp_path):
    pictures(tmp_path)
    written(tmp_path, "file,digit\n000001.jpg,7\n000002.jpg,0\n000003.jpg,1\n000004.jpg,7\n")
    assert labelled(str(tmp_path), "digit_7").stores[MIXED].labels.tolist() == [[1], [0], [0], [1]]


def test_a_column_says_the_splits(tmp_path):
    pictures(tmp_path)
    lines = "000001.jpg,cat,train\n000002.jpg,dog,Training\n000003.jpg,cat,test\n000004.jpg,dog,val"
    written(tmp_path, f"file,label,split\n{lines}\n")
    assert list(labelled(str(tmp_path), "cat").stores[MIXED].names) == ["000001.jpg", "000002.jpg"]
    tested = opened({"cat": f"{tmp_path}:cat"}, split="test")
    assert list(tested.stores["cat"].names) == ["000003.jpg"]


def test_paths_in_the_list_choose_among_equal_names(tmp_path):
    pictures(tmp_path / "a", ["1.jpg"])
    pictures(tmp_path / "b", ["1.jpg"])
    written(tmp_path, "file,label\na/1.jpg,cat\nb\\1.jpg,dog\n")
    assert list(opened({"dog": f"{tmp_path}:dog"}).stores["dog"].names) == ["b/1.jpg"]


def test_a_list_by_its_own_path(tmp_path):
    pictures(tmp_path)
    path = written(tmp_path, "file,label\n000001.jpg,cat\n000002.jpg,dog\n", "mine.csv")
    assert list(opened({"cat": f"{path}:cat"}).stores["cat"].names) == ["000001.jpg"]
    assert labelled(str(path), "cat").stores[MIXED].labels.tolist() == [[1], [0]]


def test_a_table_of_something_else_leaves_a_folder_as_it_is(tmp_path):
    pictures(tmp_path)
    written(tmp_path, "step,loss\n1,0.5\n2,0.25\n3,0.1\n4,0.05\n5,0.01\n", "results.csv")
    assert len(opened({"a": str(tmp_path)}).stores["a"]) == 4


def test_rows_without_picture_and_pictures_without_row_are_counted(tmp_path):
    pictures(tmp_path, ["000001.jpg", "000002.jpg", "extra.jpg"])
    written(tmp_path, "file,label\n000001.jpg,cat\n000002.jpg,dog\n000009.jpg,cat\n")
    lines = labelled(str(tmp_path), "cat").describe()
    assert "  warning: 1 rows of labels.csv have no picture: 000009.jpg" in lines
    assert "  left out: 1 not in labels.csv: extra.jpg" in lines


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (("1", "-1", "0", "1"), 'it holds both -1 and 0: 1 times, such as "0" for 000003.jpg'),
        (("1", "0", "", "1"), 'it holds no value: 1 times, such as "" for 000003.jpg'),
        (("1", "0", "maybe", "1"), '1 times, such as "maybe" for 000003.jpg'),
        (("1", "-1", "2", "1"), '1 times, such as "2" for 000003.jpg'),
    ],
)
def test_values_that_mean_nothing_are_named_with_the_first(tmp_path, values, fault):
    pictures(tmp_path)
    rows = "\n".join(
        f"{row[0]}.jpg,{value},{mark}"
        for row, value, mark in zip(ROWS, values, "1010", strict=True)
    )
    written(tmp_path, f"file,Smiling,Male\n{rows}\n")
    with pytest.raises(DataError) as caught:
        labelled(str(tmp_path), "Smiling")
    assert fault in caught.value.problem
    assert len(labelled(str(tmp_path), "Male").stores[MIXED]) == 4


def test_uneven_rows_are_counted_with_the_first(tmp_path):
    pictures(tmp_path)
    path = written(tmp_path, "file,label\n000001.jpg,cat\n000002.jpg\n000003.jpg,a,b\n", "my.csv")
    with pytest.raises(DataError) as caught:
        labelled(str(path), "cat")
    assert "row 2 has 1 values for 2 columns" in caught.value.problem
    assert "2 rows" in caught.value.problem


def test_two_lists_ask_which(tmp_path):
    pictures(tmp_path / "images")
    written(tmp_path, celeba_text(), "list_attr_celeba.txt")
    written(tmp_path, "image_id,Smiling\n000001.jpg,1\n", "list_attr_celeba.csv")
    with pytest.raises(DataError) as caught:
        labelled(str(tmp_path))
    assert "one is needed" in caught.value.problem
    assert labelled(str(tmp_path / "list_attr_celeba.txt")).stores[MIXED].labels.tolist() == SMILING


def test_a_parquet_file(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    pictures(tmp_path)
    columns = {
        "file_name": [f"{row[0]}.jpg" for row in ROWS],
        "Smiling": [row[1] > 0 for row in ROWS],
        "Male": [row[2] for row in ROWS],
        "age": [21.5, 33.25, 40.125, 18.0625],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "labels.parquet")
    assert labelled(str(tmp_path)).stores[MIXED].labels.tolist() == SMILING


def test_a_file_that_only_claims_to_be_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    path = written(pictures(tmp_path), "file,label\n", "mine.parquet")
    with pytest.raises(DataError) as caught:
        labelled(str(path), "cat")
    assert caught.value.problem.startswith("it is no Parquet file")


def test_a_parquet_file_of_a_few_bytes_and_millions_of_rows(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    pictures(tmp_path)
    some = pyarrow.table({"file": pyarrow.nulls(10_000_000, "string")})
    with parquet.ParquetWriter(tmp_path / "labels.parquet", some.schema) as writer:
        for _ in range(4):
            writer.write_table(some)
    assert (tmp_path / "labels.parquet").stat().st_size < 100_000
    with pytest.raises(DataError) as caught:
        labelled(str(tmp_path / "labels.parquet"), "cat")
    assert "40,000,000 rows" in caught.value.problem


@pytest.mark.parametrize("suffix", ["csv", "txt", "parquet"])
def test_a_list_that_is_larger_than_lists_are(suffix, tmp_path):
    path = pictures(tmp_path) / f"labels.{suffix}"
    with path.open("wb") as file:
        file.truncate(6_000_000_000)
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert caught.value.problem.startswith("it has 6,000,000,000 bytes")


def test_a_data_frame(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "file": [f"{row[0]}.jpg" for row in ROWS],
            "Smiling": [row[1] > 0 for row in ROWS],
            "Male": pandas.array([row[2] > 0 for row in ROWS], dtype="boolean"),
        }
    )
    data = labelled(labels(frame, pictures(tmp_path)))
    assert data.stores[MIXED].labels.tolist() == SMILING


def test_a_table_of_a_spreadsheet_in_utf_16(tmp_path):
    pictures(tmp_path)
    text = "file\tlabel\n000001.jpg\tčížek\n000002.jpg\tkos\n"
    (tmp_path / "labels.tsv").write_bytes(text.encode("utf-16"))
    assert labelled(str(tmp_path), "čížek").stores[MIXED].labels.tolist() == [[1], [0]]


def test_a_table_in_another_encoding_says_how_to_save_it(tmp_path):
    pictures(tmp_path)
    path = tmp_path / "mine.csv"
    path.write_bytes("file,label\n000001.jpg,Größe\n".encode("latin-1"))
    with pytest.raises(DataError) as caught:
        labelled(str(path), "Größe")
    assert "UTF-8" in caught.value.hint


@pytest.mark.parametrize("title", ["Image Name", "IMG_PATH", "photo"])
def test_the_column_of_names_is_found_wherever_it_is(tmp_path, title):
    pictures(tmp_path)
    rows = "1,cat,000001.jpg\n2,dog,000002.jpg\n3,cat,000003.jpg\n4,dog,000004.jpg\n"
    written(tmp_path, f",label,{title}\n{rows}")
    assert labelled(str(tmp_path), "cat").stores[MIXED].labels.tolist() == [[1], [0], [1], [0]]


def test_names_without_suffix_that_hold_dots(tmp_path):
    pictures(tmp_path, ["scan.001.png", "scan.002.png"])
    written(tmp_path, "image,MEL,NV\nscan.001,1.0,0.0\nscan.002,0.0,1.0\n")
    assert labelled(str(tmp_path), "MEL", "NV").stores[MIXED].labels.tolist() == [[1, 0], [0, 1]]


def test_lists_of_two_splits_beside_their_folders(tmp_path):
    pictures(tmp_path / "train", ["1.jpg", "2.jpg"])
    pictures(tmp_path / "test", ["3.jpg", "4.jpg"])
    path = written(tmp_path, "file,label\n1.jpg,cat\n2.jpg,dog\n", "train.csv")
    assert list(opened({"cat": f"{path}:cat"}).stores["cat"].names) == ["train/1.jpg"]


@pytest.mark.parametrize(
    ("values", "fault"),
    [(("yes", "no", "unknown", "no"), "neither"), (("1", "0", "-1", "0"), "both -1 and 0"),
     (("1", "0", "", "1"), "no value")],
)  # fmt: skip
def test_a_list_of_one_column_with_a_fault_is_still_a_list(tmp_path, values, fault):
    names = [f"{letter}.png" for letter in "abcd"]
    pictures(tmp_path, names)
    rows = "\n".join(",".join(pair) for pair in zip(names, values, strict=True))
    written(tmp_path, f"file,edible\n{rows}\n")
    with pytest.raises(DataError) as caught:
        labelled(str(tmp_path), "edible")
    assert fault in caught.value.problem
    assert "edible" in caught.value.asked


def test_accents_match_however_they_are_composed(tmp_path):
    composed, apart = "caf\u00e9.png", "cafe\u0301.png"
    pictures(tmp_path, (apart, "b.png"))
    written(tmp_path, f"file,edible\n{composed},1\nb.png,0\n")
    store = labelled(str(tmp_path), "edible").stores[MIXED]
    assert dict(zip(store.names, store.labels.tolist(), strict=True)) == {
        apart: [1.0], "b.png": [0.0]
    }  # fmt: skip


def test_pictures_beside_a_list_are_not_passed_over_for_the_only_folder_below(tmp_path):
    pictures(tmp_path, ("a.png", "b.png"))
    pictures(tmp_path / "older", ("a.png", "b.png"))
    written(tmp_path, "file,edible\na.png,1\nb.png,0\n")
    store = labelled(str(tmp_path), "edible").stores[MIXED]
    assert list(store.names) == ["a.png", "b.png"]
    (tmp_path / "a.png").unlink()
    (tmp_path / "b.png").unlink()
    below = labelled(str(tmp_path), "edible").places
    assert "older" in str(below)
