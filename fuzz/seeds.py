"""Writes the corpus: small right files of every kind that the targets read, and some wrong ones.

    python fuzz/seeds.py

Files that fuzzing found stay beside them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import tifffile
import torch
import yaml
from PIL import Image
from safetensors.torch import save

HERE = Path(__file__).parent
ROOT = HERE.parent
COMMIT, HASH = b"ab" * 20, b"cd" * 32


def configs() -> Iterator[tuple[str, bytes]]:
    """Configurations of one model of each method."""
    seen = set()
    for path in sorted(ROOT.glob("plugins/*/src/*/weights/*/config.yaml")):
        content = path.read_bytes()
        method = yaml.safe_load(content)["method"]
        if method not in seen and len(content) < 6_000:
            seen.add(method)
            yield f"{method}.yaml", content


def cards() -> Iterator[tuple[str, bytes]]:
    """The shortest card of a model, and the least there is."""
    paths = ROOT.glob("plugins/*/src/*/weights/*/README.md")
    yield "model.md", min((path.read_bytes() for path in paths), key=len)
    yield "least.md", b"---\nlicense: mit\ntags: [a, b]\n---\n# A model\n"


def registries() -> Iterator[tuple[str, bytes]]:
    """Registries of plugins."""
    for name in ("stargan", "cyclegan"):
        path = ROOT / f"plugins/zoo-{name}/src/zoo_{name}/registry.yaml"
        yield f"{name}.yaml", path.read_bytes()[:8_000].rpartition(b"\n- ")[0] + b"\n"


def tensors() -> Iterator[tuple[str, bytes]]:
    """Safetensors."""
    golden = {"input": torch.ones(2, 3), "source": torch.ones(2, 2), "target": torch.ones(2, 2)}
    golden["output"] = torch.zeros(2, 3)
    yield "golden", save(golden, {"domains": json.dumps([["a", "b"]] * 2)})
    yield "half", save({"a.b": torch.ones(2, dtype=torch.float16), "n": torch.tensor(3)})


def checkpoints() -> Iterator[tuple[str, bytes]]:
    """What torch saves, in both its forms."""
    state = {"model.1.weight": torch.ones(8, 3, 7, 7), "model.1.bias": torch.zeros(8)}
    for name, newer in (("archive", True), ("older", False)):
        stream = io.BytesIO()
        torch.save({"state_dict": state}, stream, _use_new_zipfile_serialization=newer)
        yield name, stream.getvalue()
    yield "tensors", save(state)


def judges() -> Iterator[tuple[str, bytes]]:
    """Cards of judges."""
    yield (
        "digits.yaml",
        (ROOT / "plugins/zoo-nn/src/zoo_nn/nets/weights/digits/judge.yaml").read_bytes(),
    )
    yield "own.yaml", b"classes: [a, b]\nsize: 32\narchitecture: judge\nwidths: [4, 8]\n"


def lists() -> Iterator[tuple[str, bytes]]:
    """Lists of attributes; the first byte says the form."""
    yield "celeba", b"\x002\nBald Male\n000001.jpg -1 1\n000002.jpg 1 -1\n"
    yield "csv", b"\x01image_id,Bald,Male\na.jpg,0,1\nb.jpg,1,0\n"
    yield "tsv", b'\x02file\tlabel\na.jpg\t"cat, dog"\n'


def sounds() -> Iterator[tuple[str, bytes]]:
    """A short sound in each format."""
    wave = 0.5 * np.sin(np.arange(4_000) / 7)
    for form, kind in (("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"),
                       ("AIFF", "PCM_24"), ("AU", "ULAW"), ("MP3", "MPEG_LAYER_III")):  # fmt: skip
        stream = io.BytesIO()
        soundfile.write(stream, wave, 16_000, format=form, subtype=kind)
        yield f"{form.lower()}-{kind.lower()}", stream.getvalue()


def pictures() -> Iterator[tuple[str, bytes]]:
    """A small picture in each format, animated and deep ones too."""
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
    for form in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF"):
        stream = io.BytesIO()
        colour.save(stream, form)
        yield form.lower(), stream.getvalue()
    for form in ("GIF", "WEBP", "PNG"):
        stream = io.BytesIO()
        others = [colour.rotate(90), colour.rotate(180)]
        colour.save(stream, form, save_all=True, append_images=others, duration=40)
        yield f"animated-{form.lower()}", stream.getvalue()
    for mode in ("P", "LA", "RGBA", "I;16", "1"):
        stream = io.BytesIO()
        (colour.convert("L") if mode == "I;16" else colour).convert(mode).save(stream, "PNG")
        yield f"png-{mode.lower().replace(';', '')}", stream.getvalue()
    for name, kind in (("uint16", np.uint16), ("float32", np.float32)):
        stream = io.BytesIO()
        tifffile.imwrite(stream, rng.integers(0, 99, (5, 6)).astype(kind), compression="zlib")
        yield f"tiff-{name}", stream.getvalue()


def slices() -> Iterator[tuple[str, bytes]]:
    """A DICOM file of two frames, as it is and packed in each way that needs no other package."""
    from pydicom import Dataset, dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import (
        CTImageStorage,
        DeflatedExplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        JPEGBaseline8Bit,
        RLELossless,
    )

    jpeg = io.BytesIO()
    Image.fromarray(np.arange(30, dtype=np.uint8).reshape(5, 6)).save(jpeg, "JPEG")
    for name, syntax in (
        ("plain", ExplicitVRLittleEndian), ("deflated", DeflatedExplicitVRLittleEndian),
        ("rle", RLELossless), ("jpeg", JPEGBaseline8Bit),
    ):  # fmt: skip
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 5, 6, 1
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.PixelRepresentation = 7, 0
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.PixelPaddingValue = 2, -9, 3
        dataset.PixelData = bytes(range(30))
        if name == "jpeg":
            from pydicom.encaps import encapsulate

            dataset.PixelData = encapsulate([jpeg.getvalue()])
            dataset["PixelData"].VR = "OB"
        elif name == "rle":
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dataset.compress(RLELossless)
        stream = io.BytesIO()
        dcmwrite(stream, dataset, enforce_file_format=True)
        yield name, stream.getvalue()


def volumes() -> Iterator[tuple[str, bytes]]:
    """A volume in both forms of NIfTI, and packed."""
    import gzip

    import nibabel

    values = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
    for name, kind in (("one", nibabel.Nifti1Image), ("two", nibabel.Nifti2Image)):
        image = kind(values, np.diag([2.0, 2, 3, 1]))
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"a comment"))
        yield name, image.to_bytes()
    yield "packed", gzip.compress(image.to_bytes(), mtime=0)


def clips() -> Iterator[tuple[str, bytes]]:
    """A short clip in each container."""
    import av

    for form, codec in (("mp4", "libx264"), ("matroska", "mpeg4"), ("avi", "mjpeg")):
        stream = io.BytesIO()
        with av.open(stream, "w", format=form) as container:
            made = container.add_stream(codec, rate=5)
            made.width, made.height = 32, 24
            made.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number in range(3):
                frame = np.full((24, 32, 3), 60 * number, np.uint8)
                container.mux(made.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
            container.mux(made.encode())
        yield form, stream.getvalue()
    yield "list", b"ffconcat version 1.0\nfile private.mp4\n"


def requests() -> Iterator[tuple[str, bytes]]:
    """What a browser asks the page for."""
    picture = io.BytesIO()
    Image.new("RGB", (9, 8), (9, 99, 200)).save(picture, "PNG")
    asked = b"POST /translate?model=stargan-emoji-64&to=noto&name=a.png\nHost: 127.0.0.1:7860"
    yield "translate", asked + b"\nOrigin: http://127.0.0.1:7860\n\n" + picture.getvalue()
    yield "elsewhere", asked + b"\nOrigin: http://elsewhere.example\n\n" + picture.getvalue()
    lens = b"POST /lens?model=stargan-emoji-64&to=noto&from=twemoji&name=a.png\nHost: localhost\n\n"
    yield "lens", lens + picture.getvalue()
    part = b'Content-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n1\r\n'
    form = b"--x\r\n" + part + b"--x--\r\n"
    head = b"POST /zip\nHost: localhost\nContent-Type: multipart/form-data; boundary=x\n"
    yield "zip", head + b"Content-Length: %d\n\n" % len(form) + form
    for name, path in (("root", b"/"), ("script", b"/page.js"), ("models", b"/models"),
                       ("picture", b"/picture?model=stargan-emoji-64"),
                       ("model", b"/model?model=stargan-emoji-64"),
                       ("example", b"/example?model=stargan-emoji-64"),
                       ("outside", b"/..%2f..%2fetc/passwd")):  # fmt: skip
        yield name, b"GET " + path + b"\nHost: localhost\n\n"


def records() -> Iterator[tuple[str, bytes]]:
    """What outputs were made from."""
    origin = {"input": "0" * 64, "model": "1" * 64, "target": "b", "options": {}, "version": "1"}
    row = {"output": "a.png", "sha256": "2" * 64, "bytes": 7, "origin": origin}
    yield "two", (json.dumps(row) + "\n" + json.dumps({**row, "output": "b.png"}) + "\n").encode()


def references() -> Iterator[tuple[str, bytes]]:
    """Names of repositories and files."""
    for number, text in enumerate(
        ("org/name", "spaces/org/n@refs/pr/1:a/b.pth", f"o/n@{'ab' * 20}")
    ):
        yield str(number), text.encode()


def caches() -> Iterator[tuple[str, bytes]]:
    """What is remembered of a repository."""
    seen = {"sha256": HASH.decode(), "bytes": 9, "date": "2026-01-31"}
    known = {"commits": {"": COMMIT.decode()}, "files": {f"{COMMIT.decode()}/x.bin": seen}}
    yield "one", json.dumps(known).encode()


def replies() -> Iterator[tuple[str, bytes]]:
    """Answers of a server: to the question what a file is, and to the request for it."""
    from hashlib import sha1

    body = b"content"
    etag = sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest().encode()
    head = b"200\nX-Repo-Commit: " + COMMIT + b'\nETag: "' + etag + b'"\nContent-Length: 7'
    yield "right", head + b"\n\n\n--\n200\nContent-Length: 7\n\n" + body
    yield "twice", head + b"\n\n\n--\n503\nRetry-After: 0\n\n\n--\n200\n\n" + body
    yield "absent", b"404\nX-Error-Code: EntryNotFound\nX-Error-Message: no such file\n\n"
    yield "elsewhere", b"302\nLocation: http://127.0.0.1:9/x\n\n\n--\n" + head + b"\n\n" + body
    yield "outside", head.replace(COMMIT, b"../../evil") + b"\n\n" + body


SEEDS = {
    "config": configs, "nets": configs, "card": cards, "registry": registries,
    "safetensors": tensors, "checkpoint": checkpoints, "judge": judges, "attributes": lists,
    "audio": sounds, "image": pictures, "dicom": slices, "nifti": volumes, "video": clips,
    "page": requests, "outputs": records, "reference": references,
    "record": caches, "answers": replies,
}  # fmt: skip


def main() -> None:
    """Writes all files."""
    for target, make in SEEDS.items():
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in make():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
