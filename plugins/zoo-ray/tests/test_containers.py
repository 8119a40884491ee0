"""Containers give the pictures that their members give as files, and keep all else."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from zoo_core.cli import run
from zoo_core.errors import DataError, UsageError
from zoo_core.translate.batch import Tally, TranslateRequest
from zoo_core.translate.loading import load
from zoo_core.translate.outputs import Entry, InputSource
from zoo_core.translate.provenance import Outputs
from zoo_core.translate.translator import Translator
from zoo_ray.containers import translate_container
from zoo_ray.worker import open_container

pa = pytest.importorskip("pyarrow", reason="pyarrow, which zoo-ray needs, is not installed")
pq = pytest.importorskip("pyarrow.parquet")

MODEL, TARGET = "shallow-mnist-mnistm", "mnistm"
FLOAT = ["--precision", "float32", "--engine", "torch"]


@pytest.fixture
def translator() -> Translator:
    return load(MODEL, device="cpu", precision="float32", engine="torch")


@pytest.fixture
def plain(pictures: Path, tmp_path: Path) -> dict[str, bytes]:
    """What `zoo translate` makes of the pictures, by stem."""
    out = tmp_path / "plain"
    assert run(["translate", MODEL, str(pictures), "--to", TARGET, *FLOAT, "--out", str(out)]) == 0
    return {path.stem.removesuffix(f"_{TARGET}"): path.read_bytes() for path in out.glob("*.png")}


def translated(translator: Translator, path: Path, column: str | None = None) -> tuple[Path, Tally]:
    root, tally = path.parent / "out", Tally()
    root.mkdir(exist_ok=True)
    output = root / f"{path.stem}_{TARGET}{path.suffix}"
    request = TranslateRequest(TARGET, None, None, 8, None, False)
    translate_container(
        open_container(path, translator.codec, column),
        translator,
        request,
        Entry(InputSource(str(path)), [TARGET], [str(output)]),
        root=root,
        tally=tally,
        known=Outputs(root),
        scratch=root,
    )
    return output, tally


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {info.name: archive.extractfile(info).read() for info in archive}


def test_a_shard_holds_the_pictures_of_a_plain_run(
    translator: Translator, shard: Path, plain: dict[str, bytes]
) -> None:
    output, _ = translated(translator, shard)
    found = members(output)
    assert {name[:-4]: data for name, data in found.items() if name.endswith(".png")} == plain


def test_what_is_no_picture_stays_in_a_shard_and_links_do_not(
    translator: Translator, shard: Path
) -> None:
    found = members(translated(translator, shard)[0])
    assert found["03.cls"] == b"7"
    assert "link.png" not in found


def test_a_broken_member_is_named_and_left_out(translator: Translator, shard: Path) -> None:
    output, tally = translated(translator, shard)
    assert [error.asked for error in tally.failed] == [f"{shard}/broken.png"]
    assert tally.written == [str(output)]
    assert "broken.png" not in members(output)


def test_a_second_time_a_shard_is_kept(translator: Translator, shard: Path) -> None:
    output, _ = translated(translator, shard)
    _, tally = translated(translator, shard)
    assert (tally.written, tally.kept) == ([], [str(output)])


def test_nothing_unfinished_is_left(translator: Translator, shard: Path) -> None:
    output, _ = translated(translator, shard)
    assert {path.name for path in output.parent.iterdir()} == {output.name, "zoo-outputs.jsonl"}


@pytest.mark.parametrize("damage", ["cut", "empty", "compressed"])
def test_a_damaged_shard_is_refused(translator: Translator, shard: Path, damage: str) -> None:
    import gzip

    data = shard.read_bytes()
    shard.write_bytes({"cut": data[:3000], "empty": b"", "compressed": gzip.compress(data)}[damage])
    with pytest.raises(DataError) as caught:
        translated(translator, shard)
    assert caught.value.asked == str(shard)


def test_pictures_of_one_name_and_two_suffixes_stay_two(
    translator: Translator, shard: Path, pictures: Path, put: Any
) -> None:
    with tarfile.open(shard, "w") as archive:
        for name in ("0.png", "0.bmp"):
            put(archive, name, (pictures / "01.png").read_bytes())
    assert list(members(translated(translator, shard)[0])) == ["0.png", "0.bmp.png"]


def table(pictures: Path, path: Path, **columns: object) -> Path:
    values = [picture.read_bytes() for picture in sorted(pictures.iterdir())]
    values[4] = b"no picture"
    pq.write_table(
        pa.table({"picture": values, "label": list(range(len(values))), **columns}),
        path,
        row_group_size=5,
    )
    return path


def test_a_parquet_file_holds_the_pictures_of_a_plain_run(
    translator: Translator, pictures: Path, tmp_path: Path, plain: dict[str, bytes]
) -> None:
    output, _ = translated(translator, table(pictures, tmp_path / "p.parquet"))
    found = pq.read_table(output).to_pydict()
    assert found["label"] == list(range(11))
    made = {f"{row:02}": data for row, data in enumerate(found["picture"]) if row != 4}
    assert made == {stem: data for stem, data in plain.items() if stem != "04"}


def test_a_row_that_fails_is_a_row_that_says_so(
    translator: Translator, pictures: Path, tmp_path: Path
) -> None:
    path = table(pictures, tmp_path / "p.parquet")
    output, tally = translated(translator, path)
    found = pq.read_table(output).to_pydict()
    (error,) = tally.failed
    assert error.asked == f"{path}/row-4"
    assert found["picture"][4] is None
    assert found["zoo_problem"] == [None] * 4 + [error.problem] + [None] * 6


def test_of_several_columns_of_bytes_one_is_named(
    translator: Translator, pictures: Path, tmp_path: Path
) -> None:
    path = table(pictures, tmp_path / "p.parquet", other=[b"x"] * 11)
    with pytest.raises(UsageError) as caught:
        translated(translator, path)
    assert "picture, other" in caught.value.problem
    found = pq.read_table(translated(translator, path, "picture")[0])
    assert found.column("other").to_pylist() == [b"x"] * 11


def test_structs_of_bytes_and_path_stay_structs(
    translator: Translator, pictures: Path, tmp_path: Path, plain: dict[str, bytes]
) -> None:
    values = [{"bytes": (pictures / "01.png").read_bytes(), "path": "a/01.bmp"}]
    features = {"image": {"_type": "Image"}}
    facts = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(
        pa.table({"image": values}).replace_schema_metadata(facts), tmp_path / "p.parquet"
    )
    found = pq.read_table(translated(translator, tmp_path / "p.parquet")[0])
    assert found["image"].to_pylist() == [{"bytes": plain["01"], "path": "a/01.png"}]
    described = json.loads(found.schema.metadata[b"huggingface"])["info"]["features"]
    assert set(described) == {"image", "zoo_problem"}


def test_a_damaged_parquet_file_is_refused(translator: Translator, tmp_path: Path) -> None:
    (tmp_path / "p.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError) as caught:
        translated(translator, tmp_path / "p.parquet")
    assert caught.value.asked == str(tmp_path / "p.parquet")
