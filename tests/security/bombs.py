"""Small files that ask for large amounts of memory, made anew for each test."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from PIL import Image

SIX_GB = 6_000_000_000


def one_bit_png(path: Path, side: int = 14_000) -> None:
    """A PNG of 1 bit a pixel: 24 kB of zeros that are 196 million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def gif(path: Path, side: int = 30_000) -> None:
    """A GIF that announces a screen of 900 million pixels for frames of one."""
    frames = [Image.new("P", (1, 1), index) for index in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=100)
    data = bytearray(stream.getvalue())
    data[6:10] = struct.pack("<HH", side, side)
    path.write_bytes(data)


def growing_gif(path: Path) -> None:
    """A GIF of 12 x 9 pixels whose second frame lies 65,000 pixels away."""
    stream = io.BytesIO()
    Image.new("P", (12, 9)).save(stream, "GIF")
    second = b"," + struct.pack("<HHHHB", 16_000, 16_000, 1, 1, 0) + b"\x02\x02\x4c\x01\0"
    path.write_bytes(stream.getvalue().removesuffix(b";") + second + b";")


def growing_tiff(path: Path) -> None:
    """A TIFF whose second page is far larger than its first."""
    deep_tiff(path)
    large = path.read_bytes()
    small = tifffile_bytes(np.zeros((4, 4), np.uint16))
    place = len(small) + len(small) % 2
    moved = large[8:]  # its only offsets are the numbers of the directory itself
    (directory,) = struct.unpack_from("<I", small, 4)
    (count,) = struct.unpack_from("<H", small, directory)
    following = directory + 2 + 12 * count
    data = bytearray(small.ljust(place, b"\0"))
    data[following : following + 4] = struct.pack("<I", place)
    path.write_bytes(bytes(data) + moved)


def circular_tiff(path: Path) -> None:
    """A TIFF whose first page is also the one after it."""
    data = bytearray(tifffile_bytes(np.zeros((4, 4), np.uint16)))
    (directory,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, directory)
    following = directory + 2 + 12 * count
    data[following : following + 4] = struct.pack("<I", directory)
    path.write_bytes(data)


def tifffile_bytes(pixels: Any) -> bytes:
    """A TIFF of an array."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels)
    return stream.getvalue()


def webp(path: Path) -> None:
    """The largest WebP there is, of one colour: 40 bytes that are 268 million pixels."""
    last = 16_383 - 1
    # A lossless stream: the sides less one; alpha; no transform and no cache; five codes of one
    # symbol each, so that no pixel takes a bit.
    bits, place = 0, 0
    for value, width in ((last, 14), (last, 14), (0, 1), (0, 3), (0, 3), *[(1, 4)] * 5):
        bits, place = bits | value << place, place + width
    stream = b"\x2f" + bits.to_bytes(8, "little")
    chunk = b"VP8L" + struct.pack("<I", len(stream)) + stream + b"\0"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk)


def sparse(path: Path, size: int = SIX_GB, head: bytes = b"\x89PNG\r\n\x1a\n") -> None:
    """A file of zeros that takes no place on the disk."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)


def stride_0(path: Path) -> None:
    """Weights of a CycleGAN's generator, each a view that repeats one number."""
    one = torch.zeros(1)
    shapes = {f"model.{number}.weight": (40_000, 40_000, 1, 1) for number in (1, 4, 7)}
    torch.save({name: one.expand(shape) for name, shape in shapes.items()}, path)


def bytearray_pickle(path: Path, older: bool = False) -> None:
    """A checkpoint whose pickle makes an array of 6 GB, with a name that torch allows."""

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return bytearray, (SIX_GB,)

    torch.save(
        {"weight": torch.zeros(2), "extra": Bomb()},
        path,
        pickle_protocol=2,
        _use_new_zipfile_serialization=not older,
    )


def doubling_pickle(path: Path) -> None:
    """A checkpoint whose pickle writes a text as hexadecimal digits again and again."""
    calls = b"\x80\x02c_codecs\nencode\nq\x00"
    value = b"C\x08zoozooab"
    for _ in range(33):
        value = b"h\x00" + value + b"X\x03\x00\x00\x00hex\x86R"
    _archive(path, calls + b"0" + value + b".")


def nested_pickle(path: Path) -> None:
    """A checkpoint of mappings that hold one another many times over: 10^15 ways through."""
    count = 30_000

    def level(inner: bytes) -> bytes:
        names = (f"k{number}".encode() for number in range(count))
        items = b"".join(b"X" + struct.pack("<I", len(name)) + name + inner for name in names)
        return b"}(" + items + b"u"

    parts = b"\x80\x02}(X\x01\x00\x00\x000}q\x01"
    for depth in range(2, 6):
        name = b"X\x01\x00\x00\x00" + str(depth).encode()
        parts += name + level(b"h" + bytes([depth - 1])) + b"q" + bytes([depth])
    _archive(path, parts + b"u.")


def deflated_checkpoint(path: Path) -> None:
    """A checkpoint that becomes a thousand times as large when it is decompressed."""
    plain = io.BytesIO()
    torch.save({"weight": torch.zeros(4)}, plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            large = member.filename.endswith("data/0")
            parts = [bytes(10**7)] * 20 if large else [old.read(member)]
            with new.open(member.filename, "w", force_zip64=True) as file:
                for part in parts:
                    file.write(part)


def claiming_array(path: Path) -> None:
    """A ``.npy`` file of a few bytes that says it holds 6 GB."""
    path.mkdir()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (SIX_GB // 4,)}
    )
    (path / "weight.npy").write_bytes(header.getvalue() + bytes(64))


def sparse_array(path: Path) -> None:
    """A ``.npy`` file of 6 GB of zeros that takes no place on the disk."""
    claiming_array(path)
    file = path / "weight.npy"
    with file.open("r+b") as stream:
        stream.truncate(file.stat().st_size - 64 + SIX_GB)


def sparse_safetensors(path: Path) -> None:
    """A safetensors file of 6 GB of zeros that takes no place on the disk."""
    header = b'{"weight":{"dtype":"F32","shape":[1500000000],"data_offsets":[0,6000000000]}}'
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + SIX_GB)


def aliases(levels: int = 9, first: str = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n") -> str:
    """YAML of a few hundred bytes that is 10^10 values."""
    lines = [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, levels + 1)]
    return first + "".join(lines)


def endless_wav(path: Path) -> None:
    """A WAV file of a few bytes that announces four hours."""
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 2**32 - 1, b"WAVE", b"fmt ", 16, 1, 1, 16_000,
                       32_000, 2, 16, b"data", 2**32 - 40)  # fmt: skip
    path.write_bytes(head + bytes(4_000))


def many_channels(path: Path) -> None:
    """A WAV file whose blocks of 65,536 frames would take 34 GB."""
    channels = 65_535
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 2**31, b"WAVE", b"fmt ", 16, 1, channels,
                       16_000, 32_000, 2 * channels % 65_536, 16, b"data", 2**31 - 40)  # fmt: skip
    with path.open("wb") as file:
        file.write(head)
        file.truncate(2**31)


def deep_tiff(path: Path, side: int = 60_000) -> None:
    """A TIFF of 16 bits that announces 3,600 million pixels."""
    tags = [(256, 4, side), (257, 4, side), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 200),
            (277, 3, 1), (278, 4, side), (279, 4, 64)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    data = b"II*\x00" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    path.write_bytes(data.ljust(264, b"\0"))


Make = Callable[[Path], None]
PICTURES: dict[str, Make] = {
    "one-bit.png": one_bit_png,
    "screen.gif": gif,
    "largest.webp": webp,
    "sparse.png": sparse,
    "deep.tiff": deep_tiff,
    "growing.gif": growing_gif,
    "growing.tiff": growing_tiff,
}
CHECKPOINTS: dict[str, Make] = {
    "views-of-stride-0.pth": stride_0,
    "bytearray.pth": bytearray_pickle,
    "bytearray-older.pth": lambda path: bytearray_pickle(path, older=True),
    "doubling-codec.pth": doubling_pickle,
    "nested-mappings.pth": nested_pickle,
    "compressed-archive.pth": deflated_checkpoint,
    "claiming-arrays": claiming_array,
    "sparse-arrays": sparse_array,
    "sparse.safetensors": sparse_safetensors,
    "sparse.pth": lambda path: sparse(path, head=b"\x80\x02"),
}
RECORDINGS: dict[str, Make] = {
    "endless.wav": endless_wav,
    "channels.wav": many_channels,
}


def _archive(path: Path, content: bytes) -> None:
    """What ``torch.save`` writes, around another pickle."""
    stream = io.BytesIO()
    torch.save({}, stream)
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for member in old.infolist():
            named = member.filename.endswith("data.pkl")
            new.writestr(member.filename, content if named else old.read(member))
