"""Decoding: every mode becomes upright 8-bit RGB, every fault an error that names the file."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from zoo_core.errors import DataError
from zoo_images.decode import decode


def encoded(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def pixel(data, at=(0, 0)):
    picture = decode(data).image
    assert picture.mode == "RGB"
    return picture.getpixel(at)


def noise(mode="RGB", size=(40, 30)):
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).convert(mode)


def test_transparent_pixels_become_white_and_half_transparent_ones_are_blended():
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 128))
    assert pixel(encoded(image)) == (255, 255, 255)
    assert pixel(encoded(image), (1, 0)) == pytest.approx((127, 127, 127), abs=1)


def test_grey_with_alpha_is_put_on_white():
    assert pixel(encoded(Image.new("LA", (1, 1), (0, 0)))) == (255, 255, 255)


def test_palette_with_a_transparent_entry_is_put_on_white():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    data = encoded(image, transparency=0)
    assert pixel(data) == (255, 255, 255)
    assert pixel(data, (1, 0)) == (40, 50, 60)


def test_rgb_with_a_transparent_colour_is_put_on_white():
    image = Image.new("RGB", (2, 1), (1, 2, 3))
    image.putpixel((1, 0), (9, 9, 9))
    data = encoded(image, transparency=(1, 2, 3))
    assert pixel(data) == (255, 255, 255)
    assert pixel(data, (1, 0)) == (9, 9, 9)


def test_sixteen_bits_are_scaled_and_not_cut():
    values = np.array([[0, 32768, 65535, 257]], np.uint16)
    picture = decode(encoded(Image.fromarray(values))).image
    assert np.asarray(picture)[0, :, 0].tolist() == [0, 128, 255, 1]


def test_32_bit_integers_beyond_16_bits_are_kept_as_they_are():
    values = np.array([[-5, 600_000, 1_000_000]], np.int32)
    picture = decode(encoded(Image.fromarray(values), "TIFF"))
    assert np.array_equal(picture.values, values)
    with pytest.raises(DataError) as caught:
        _ = picture.image
    assert "--range" in (caught.value.hint or "")


def test_floats_from_zero_to_one_are_scaled():
    values = np.array([[0.0, 0.5, 1.0]], np.float32)
    picture = decode(encoded(Image.fromarray(values), "TIFF")).image
    assert np.asarray(picture)[0, :, 2].tolist() == [0, 128, 255]


def test_floats_that_are_not_finite_are_pixels_without_data():
    values = np.array([[0.0, np.nan], [1.0, np.inf]], np.float32)
    picture = decode(encoded(Image.fromarray(values), "TIFF"))
    assert picture.gaps is not None
    assert picture.gaps.mask.tolist() == [[False, True], [False, True]]
    assert np.array_equal(np.asarray(picture.image)[..., 0], [[0, 0], [255, 0]])


def test_cmyk_one_bit_and_grey_become_rgb():
    assert pixel(encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG")) == (255, 255, 255)
    assert pixel(encoded(Image.new("1", (8, 8), 1))) == (255, 255, 255)
    assert pixel(encoded(Image.new("L", (8, 8), 77))) == (77, 77, 77)


def test_the_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixel(data) == (254, 0, 0) or pixel(data) == (255, 0, 0)


@pytest.mark.parametrize(("tag", "corner"), [(1, (0, 0)), (3, (3, 1)), (6, (1, 0)), (8, (0, 3))])
def test_exif_orientation_is_applied(tag, corner):
    image = Image.new("RGB", (4, 2), "black")
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = tag
    picture = decode(encoded(image, exif=exif)).image
    assert picture.size == ((4, 2) if tag in (1, 3) else (2, 4))
    assert picture.getpixel(corner) == (255, 255, 255)


def test_the_formats_and_mode_of_the_file_are_told():
    picture = decode(encoded(Image.new("RGBA", (3, 3))))
    assert (picture.format, picture.mode) == ("PNG", "RGBA")


def broken_files(folder):
    """Name → what the message must hold."""
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("not a picture, just words\n" * 50)
    (folder / "random.jpg").write_bytes(bytes(range(128, 256)) * 20)
    data = encoded(noise())
    (folder / "cut.png").write_bytes(data[: len(data) // 2])
    data = encoded(noise(size=(200, 200)), "JPEG")
    (folder / "cut.jpg").write_bytes(data[: len(data) // 2])
    (folder / "head.png").write_bytes(encoded(noise())[:12])
    (folder / "folder.png").mkdir()
    return {
        "empty.png": "empty",
        "text.png": "text, not a picture",
        "random.jpg": "no known format",
        "cut.png": "truncated",
        "cut.jpg": "truncated",
        "head.png": "",
        "folder.png": "folder",
        "absent.png": "no such file",
    }


def test_every_broken_file_is_an_error_that_names_it_and_says_what_to_do(tmp_path):
    for name, fault in broken_files(tmp_path).items():
        with pytest.raises(DataError) as caught:
            decode(tmp_path / name)
        assert name in str(caught.value), name
        assert fault in str(caught.value), name
        assert caught.value.hint, name


def test_a_checksum_error_is_an_error(tmp_path):
    data = bytearray(encoded(noise()))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(DataError, match="damaged"):
        decode(bytes(data), name="bits.png")


def bomb(width, height):
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(20_000, 10_001), (2_000_000, 2_000_000)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(size):
    with pytest.raises(DataError, match="decompression bomb"):
        decode(bomb(*size), name="bomb.png")


def test_a_picture_beyond_pillows_own_bound_of_warning_is_no_bomb():
    with pytest.raises(DataError, match="truncated"):  # it went past the check, to the pixels
        decode(bomb(9_500, 9_500), name="large.png")


def test_pillows_bound_is_left_as_it_was():
    before = Image.MAX_IMAGE_PIXELS
    decode(encoded(noise()))
    assert before == Image.MAX_IMAGE_PIXELS
    assert before is not None


def test_a_large_photograph_is_decoded():
    assert decode(encoded(Image.new("L", (4000, 3000)))).image.size == (4000, 3000)
