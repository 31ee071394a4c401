"""Every kind of picture file comes out right, or is refused with the reason."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from roigan.image_io.contents import Unusable
from roigan.image_io.decode import decode, fit

RED, GREEN = (200, 30, 40), (20, 160, 60)


def two_halves(left: Any, right: Any, mode: str = "RGB", width: int = 20, height: int = 10) -> Image.Image:
    image = Image.new(mode, (width, height), left)
    image.paste(right, (width // 2, 0, width, height))
    return image


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(decode(content))


def test_colours_and_grey_survive_without_loss() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    assert np.array_equal(pixels(encode(Image.fromarray(noise))), noise)
    assert decode(encode(Image.fromarray(noise[..., 0]))).mode == "L"
    assert np.array_equal(pixels(encode(Image.fromarray(noise[..., 0]))), noise[..., 0])


def test_one_bit_becomes_black_and_white() -> None:
    image = two_halves(0, 1, "1")
    assert pixels(encode(image))[0, [0, -1]].tolist() == [0, 255]


def test_alpha_is_laid_on_white() -> None:
    image = two_halves((*RED, 255), (*RED, 0), "RGBA")
    image.putpixel((1, 0), (0, 0, 0, 128))
    row = pixels(encode(image))[0]
    assert row[0].tolist() == list(RED)
    assert row[-1].tolist() == [255, 255, 255]
    assert abs(int(row[1, 0]) - 127) <= 1  # half black on white
    assert pixels(encode(two_halves((90, 255), (90, 0), "LA")))[0, [0, -1], 0].tolist() == [90, 255]


def test_palette_with_and_without_transparency() -> None:
    image = two_halves(RED, GREEN).quantize(2)
    assert pixels(encode(image))[0, [0, -1]].tolist() == [list(RED), list(GREEN)]
    clear = image.getpixel((19, 0))
    for kind in ("PNG", "GIF"):
        row = pixels(encode(image, kind, transparency=clear))[0]
        assert row[[0, -1]].tolist() == [list(RED), [255, 255, 255]]


def test_transparent_colour_of_an_rgb_picture() -> None:
    row = pixels(encode(two_halves(RED, GREEN), transparency=GREEN))[0]
    assert row[[0, -1]].tolist() == [list(RED), [255, 255, 255]]


def test_cmyk_jpeg() -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # magenta and yellow ink: red
    red = pixels(encode(image, "JPEG", quality=95))[8, 8].astype(int)
    assert red[0] > 245
    assert red[1:].max() < 10


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(kind: str) -> None:
    levels = np.array([[0, 257, 32896, 65535, 300]], np.uint16)
    assert pixels(encode(Image.fromarray(levels), kind)).tolist() == [[0, 1, 128, 255, 1]]


def test_sixteen_bit_colour_png() -> None:
    row = b"\0" + struct.pack(">6H", 65535, 32896, 0, 257, 0, 65535)
    assert pixels(png(2, 1, 16, row)).tolist() == [[[255, 128, 0], [1, 0, 255]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation: int) -> None:
    upright = np.zeros((10, 20), np.uint8)
    upright[:5, :10] = 255  # bright at the top left
    back = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(back[orientation]))
    assert np.array_equal(pixels(encode(stored, exif=exif)), upright)


def test_animated_and_multi_page_files_are_refused() -> None:
    frames = [Image.new("L", (8, 8), level) for level in (0, 200)]
    for kind in ("GIF", "PNG", "TIFF", "WEBP"):
        content = encode(frames[0], kind, save_all=True, append_images=frames[1:])
        with pytest.raises(Unusable, match="animated or of several pages: 2 frames"):
            decode(content)


def test_tiny_files_are_refused() -> None:
    content = encode(Image.new("L", (50, 31)))
    assert decode(content, min_side=31).size == (50, 31)
    with pytest.raises(Unusable, match="tiny: 50x31 pixels, a side needs 32"):
        decode(content, min_side=32)


def png(width: int, height: int, bits: int, rows: bytes) -> bytes:
    """An RGB PNG made by hand: with 16 bits, or with a size that its data does not have."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize("side", [9_500, 60_000])  # beyond Pillow's warning, beyond Pillow's error
def test_decompression_bombs_are_refused_by_their_header(side: int) -> None:
    with pytest.raises(Unusable, match="absurdly large"):
        decode(png(side, side, 8, b""))


def test_truncated_and_foreign_files_are_refused() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    for kind in ("PNG", "JPEG"):
        content = encode(noise, kind)
        with pytest.raises(Unusable, match="unreadable"):
            decode(content[: len(content) // 2])
    for content in (b"", b"not a picture", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"):
        with pytest.raises(Unusable, match="not a picture of a known format"):
            decode(content)
    with pytest.raises(Unusable, match="no known range"):
        decode(encode(Image.new("F", (8, 8), 0.5), "TIFF"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_files_never_raise_anything_else(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"]))
    content = bytearray(encode(two_halves(RED, GREEN), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Unusable):  # any other exception fails the test
        assert decode(bytes(content)).mode in ("L", "RGB")


@given(st.integers(8, 40), st.integers(8, 40), st.sampled_from([1, 3]), st.booleans())
def test_fit_gives_the_size_asked_for(width: int, height: int, channels: int, squeeze: bool) -> None:
    out = fit(Image.new("RGB", (width, height), RED), 16, channels, squeeze=squeeze)
    assert out.shape == (16, 16, channels)
    assert out.dtype == np.uint8
    assert np.ptp(out, axis=(0, 1)).max() == 0  # one colour stays one colour


def test_fit_crops_the_centre_or_squeezes_the_whole() -> None:
    image = Image.fromarray(
        np.repeat(np.arange(20, dtype=np.uint8)[None], 10, 0)
    )  # [10, 20]: columns 0 .. 19
    assert fit(image, 10, 1)[0, :, 0].tolist() == list(range(5, 15))
    assert fit(image, 4, 1, crop=4)[0, :, 0].tolist() == [8, 9, 10, 11]
    whole = fit(image, 10, 1, squeeze=True)[0, :, 0]
    assert whole[0] <= 1
    assert whole[-1] >= 18
    with pytest.raises(Unusable, match="smaller than the crop of 11"):
        fit(image, 8, 1, crop=11)
