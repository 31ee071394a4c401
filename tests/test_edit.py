"""Completing pictures of any size and mode: outside the region not one bit changes."""

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from roigan.config import RoIGANModel
from roigan.errors import UserError
from roigan.image_io.lossless import fit_format, read_mask, read_picture, save_picture
from roigan.image_io.reader import native
from roigan.images.arrays import to_float
from roigan.images.colours import lab
from roigan.inference.inpaint import complete_picture, complete_pictures
from roigan.inference.windows import window
from roigan.systems.model import Model
from roigan.systems.roigan.networks import Generator


class Painter:
    """A model that paints one shade everywhere: what comes out is known beforehand."""

    def __init__(self, channels: int = 3, size: int = 16, shade: float = 0.25) -> None:
        self.channels, self.image_size, self.shade = channels, size, shade
        self.coordinates, self.knows_whole_images = "identity", False
        self.sliders, self.codes, self.values = 3, 2, 4
        self.seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def latent(self, n: int, generator: torch.Generator, *given: Any) -> Tensor:
        return torch.zeros(n, 1)

    def complete(self, x: Tensor, M: Tensor, z: Tensor) -> Tensor:
        assert x.shape == (len(z), self.channels, self.image_size, self.image_size)
        assert M.shape == (len(z), 1, self.image_size, self.image_size)
        assert x.min() >= -1
        assert x.max() <= 1
        self.seen.append((x, M))
        return torch.where(M > 0.5, torch.full_like(x, 2 * self.shade - 1), x)


@pytest.fixture(scope="module")
def model() -> Model:
    params = RoIGANModel(system="roigan", width=0.1, noise=8, sliders=3, codes=2, values=4, output_norm=False)
    torch.manual_seed(0)
    config = {"image_size": 32, "channels": 3, "model": params.model_dump(), "weights_sha256": "0"}
    return Model({"G": Generator(32, 3, params)}, config)


def noise(height: int, width: int, mode: str, rng: np.random.Generator) -> np.ndarray:
    """A picture of random pixels in any of Pillow's modes."""
    if mode.startswith("I;16"):
        return Image.fromarray(rng.integers(0, 65536, (height, width), dtype=np.uint16))
    if mode == "I":
        return Image.fromarray(rng.integers(0, 65536, (height, width), dtype=np.int32))
    if mode == "F":
        return Image.fromarray(rng.random((height, width), dtype=np.float32))
    if mode == "1":
        return Image.fromarray(rng.random((height, width)) > 0.5)
    if mode == "P":
        image = Image.fromarray(rng.integers(0, 16, (height, width), dtype=np.uint8), "P")
        image.putpalette(rng.integers(0, 256, 768, dtype=np.uint8).tobytes())
        return image
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = rng.integers(0, 256, (height, width, bands), dtype=np.uint8)
    return Image.merge(mode, [Image.fromarray(pixels[..., i]) for i in range(bands)])


MODES = ["1", "L", "LA", "RGB", "RGBA", "CMYK", "P", "I;16", "I", "F", "YCbCr"]


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([1, 3]),
    st.integers(1, 50),
    st.integers(1, 50),
    st.floats(0.001, 1),
    st.integers(0, 2**20),
)
def test_outside_the_region_every_bit_stays(
    mode: str, channels: int, height: int, width: int, share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    picture, M = native(noise(height, width, mode, rng)), rng.random((height, width)) < share
    M[rng.integers(height), rng.integers(width)] = True
    before = np.asarray(picture).copy()
    completed = complete_picture(Painter(channels), picture, M)
    after = np.asarray(completed)
    assert completed.mode == picture.mode
    assert after.dtype == before.dtype
    np.testing.assert_array_equal(after[~M], before[~M])
    np.testing.assert_array_equal(np.asarray(picture), before)  # the caller's picture is left alone


@pytest.mark.parametrize(
    ("mode", "painted"),
    [
        ("L", 64),
        ("LA", (64, 255)),
        ("RGB", (64, 64, 64)),
        ("RGBA", (64, 64, 64, 255)),
        ("CMYK", (191, 191, 191, 0)),
        ("I;16", 16384),
        ("I", 16384),
        ("P", (64, 64, 64)),
    ],
)
@pytest.mark.parametrize("size", [(16, 16), (70, 41), (9, 5), (1, 1), (200, 3)])
def test_inside_the_region_every_pixel_is_the_models(mode: str, painted: Any, size: int) -> None:
    picture = native(noise(*size, mode, np.random.default_rng(3)))
    completed = np.asarray(complete_picture(Painter(shade=64 / 255), picture, np.ones(size, bool)))
    assert np.abs(completed.astype(int) - painted).max() <= (300 if mode.startswith("I") else 1)


@pytest.mark.parametrize("suffix", ["png", "tif", "ppm"])
def test_sixteen_bit_colour_keeps_its_depth(suffix: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    deep = rng.integers(0, 65536, (16, 30, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / f"deep.{suffix}"), deep[..., ::-1])
    picture = read_picture(tmp_path / f"deep.{suffix}")
    np.testing.assert_array_equal(picture, deep)
    M = np.zeros((16, 30), bool)
    M[5:9, 7:20] = True
    save_picture(complete_picture(Painter(), picture, M), tmp_path / "out.png")
    after = read_picture(tmp_path / "out.png")
    np.testing.assert_array_equal(after[~M], deep[~M])
    assert np.abs(after[M].astype(int) - 16384).max() < 300


@pytest.mark.parametrize(("ending", "bits"), [("jp2", 16), ("avif", 10)])
def test_depth_that_would_be_lost_unseen_is_refused(tmp_path: Path, ending: str, bits: int) -> None:
    colours = np.random.default_rng(0).integers(0, 2**bits, (64, 64, 3))
    settings = [cv2.IMWRITE_AVIF_DEPTH, bits] if ending == "avif" else []
    if not cv2.imwrite(str(tmp_path / f"deep.{ending}"), colours.astype(np.uint16), settings):
        pytest.skip(f"this OpenCV writes no {ending}")
    with pytest.raises(UserError, match="colour with more than 8 bits in"):
        read_picture(tmp_path / f"deep.{ending}")
    cv2.imwrite(str(tmp_path / f"flat.{ending}"), (colours >> (bits - 8)).astype(np.uint8))
    assert read_picture(tmp_path / f"flat.{ending}").mode == "RGB"


def test_sixteen_bit_grey_of_any_format_fits_png(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 2**16, (20, 30), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "grey.pgm"), grey)
    picture = fit_format(read_picture(tmp_path / "grey.pgm"), tmp_path / "out.png")
    save_picture(picture, tmp_path / "out.png")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED), grey)


def test_a_profile_that_sixteen_bit_colour_loses_is_spoken_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = np.zeros((9, 9, 3), np.uint16)
    cv2.imwrite(str(tmp_path / "plain.png"), deep)
    save_picture(read_picture(tmp_path / "plain.png"), tmp_path / "plain.tif")
    assert capsys.readouterr().err == ""
    content = (tmp_path / "plain.png").read_bytes()
    profile = b"iCCP" + b"name\0\0" + zlib.compress(b"a profile")
    chunk = struct.pack(">I", len(profile) - 4) + profile + struct.pack(">I", zlib.crc32(profile))
    (tmp_path / "deep.png").write_bytes(content[:33] + chunk + content[33:])  # behind the header
    picture = read_picture(tmp_path / "deep.png")
    np.testing.assert_array_equal(picture, deep)
    save_picture(complete_picture(Painter(), picture, np.ones((9, 9), bool)), tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert out.info["icc_profile"] == b"a profile"
    assert capsys.readouterr().err == ""
    save_picture(picture, tmp_path / "out.tif")
    assert capsys.readouterr().err.startswith(f"note: {tmp_path}/out.tif: 16-bit colour loses its profile")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_files_keep_mode_and_pixels(tmp_path: Path, mode: str, ending: str) -> None:
    picture = noise(13, 17, mode, np.random.default_rng(1))
    save_picture(picture, tmp_path / f"a{ending}")
    again = read_picture(tmp_path / f"a{ending}")
    assert again.mode == mode
    np.testing.assert_array_equal(np.asarray(again), np.asarray(picture))


@pytest.mark.parametrize("ending", [".png", ".tif", ".bmp", ".jpg"])
def test_eight_bits_are_no_sixteen_whatever_the_size(tmp_path: Path, ending: str) -> None:
    for size in [(16, 9), (160, 3), (5, 1216), (138, 7)]:
        noise(*size, "RGB", np.random.default_rng(0)).save(tmp_path / f"a{ending}")
        assert read_picture(tmp_path / f"a{ending}").mode == "RGB"


def test_cmyk_stays_cmyk_in_tiff_and_becomes_rgb_in_png(tmp_path: Path) -> None:
    picture = noise(8, 8, "CMYK", np.random.default_rng(1))
    assert fit_format(picture, Path("a.tif")).mode == "CMYK"
    assert fit_format(picture, Path("a.png")).mode == "RGB"
    with pytest.raises(UserError, match="PNG holds no 32-bit"):
        fit_format(noise(8, 8, "F", np.random.default_rng(1)), Path("a.png"))


def test_exif_rotation_is_applied_to_what_the_user_sees(tmp_path: Path) -> None:
    picture = noise(10, 20, "RGB", np.random.default_rng(1))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter
    picture.save(tmp_path / "turned.png", exif=exif)
    upright = read_picture(tmp_path / "turned.png")
    assert upright.size == (10, 20)
    save_picture(upright, tmp_path / "again.png")
    assert read_picture(tmp_path / "again.png").size == (10, 20)  # and not turned twice


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_masks_of_any_mode_mean_generate_where_white(tmp_path: Path, mode: str) -> None:
    M = np.random.default_rng(0).random((9, 7)) > 0.5
    grey = Image.fromarray(np.where(M, 128, 127).astype(np.uint8))
    if mode == "I;16":
        image = Image.fromarray(np.where(M, 128 * 257, 127 * 257).astype(np.uint16))
    elif mode == "1":
        image = Image.fromarray(M)
    else:
        image = grey.convert(mode)
    image.save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), M)


def test_transparent_parts_of_a_mask_are_kept(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 255, 255, 0)).save(tmp_path / "mask.png")
    assert not read_mask(tmp_path / "mask.png").any()


@pytest.mark.parametrize(
    ("mode", "clear", "becomes"),
    [
        ("1", 1, "LA"),
        ("L", 64, "LA"),
        ("RGB", (64, 64, 64), "RGBA"),
        ("P", 3, "RGBA"),
        ("I;16", 16384, "I;16"),
    ],
)
def test_new_pixels_are_opaque_where_a_colour_means_transparent(
    tmp_path: Path, mode: str, clear: Any, becomes: Any
) -> None:
    """The painter paints that very colour."""
    given = noise(16, 16, mode, np.random.default_rng(1))
    given.putpixel((0, 0), clear)
    given.save(tmp_path / "a.png", transparency=clear)
    picture = read_picture(tmp_path / "a.png")
    M = np.zeros((16, 16), bool)
    M[4:9, 4:9] = True
    shade = {"1": 1.0, "I;16": 16384 / 65535}.get(mode, 64 / 255)
    save_picture(complete_picture(Painter(shade=shade), picture, M), tmp_path / "out.png")
    before, after = (Image.open(tmp_path / name) for name in ("a.png", "out.png"))
    assert after.mode == becomes
    if mode == "I;16":
        assert after.info["transparency"] == clear
        assert (np.asarray(after)[M] == clear + 1).all()
        np.testing.assert_array_equal(np.asarray(after)[~M], np.asarray(before)[~M])
    else:
        values = np.asarray(before.convert(becomes))
        assert (np.asarray(after)[M][:, -1] == 255).all()
        assert values[0, 0, -1] == np.asarray(after)[0, 0, -1] == 0  # known pixels stay transparent
        np.testing.assert_array_equal(np.asarray(after)[~M], values[~M])


def test_a_transparent_colour_of_a_mask_is_kept(tmp_path: Path) -> None:
    for mode, white in (("1", 1), ("L", 255), ("RGB", (255, 255, 255))):
        Image.new(mode, (4, 4), white).save(tmp_path / "mask.png", transparency=white)
        assert not read_mask(tmp_path / "mask.png").any()


def test_a_picture_of_the_models_size_is_given_to_it_as_it_is() -> None:
    painter, rng = Painter(size=16), np.random.default_rng(0)
    picture, M = noise(16, 16, "RGB", rng), rng.random((16, 16)) < 0.1
    complete_picture(painter, picture, M)
    x, seen = painter.seen[0]
    np.testing.assert_allclose(x[0].movedim(0, -1), np.asarray(picture) / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(seen[0, 0] > 0.5, M)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.floats(1, 5), st.integers(0, 2**20))
def test_the_window_holds_the_region_and_stays_in_the_picture_if_it_can(
    height: int, width: int, context: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    M = np.zeros((height, width), bool)
    top, left = rng.integers(height), rng.integers(width)
    M[top : top + rng.integers(1, 40), left : left + rng.integers(1, 40)] = True
    where = window(np.zeros((height, width, 3), np.uint16), M, 16, context)
    rows, columns = np.nonzero(M)
    assert where.top <= rows.min() <= rows.max() < where.top + where.side
    assert where.left <= columns.min() <= columns.max() < where.left + where.side
    if where.side <= height:
        assert 0 <= where.top <= height - where.side
    if where.side <= width:
        assert 0 <= where.left <= width - where.side


def test_nothing_of_the_hidden_region_reaches_the_model(model: Model) -> None:
    """The same seed fills the hole alike whatever was in it, also where the window is mirrored or resized."""
    rng = np.random.default_rng(0)
    for height, width in [(32, 32), (90, 20), (130, 130), (71, 45), (31, 31), (20, 20), (24, 90), (9, 7)]:
        picture = np.asarray(noise(height, width, "RGB", rng)).copy()
        M = np.zeros((height, width), bool)
        M[height // 8 : height - 3, 2 : width // 2] = True
        first = np.asarray(complete_picture(model, Image.fromarray(picture), M, seed=5))
        picture[M] = 255 - picture[M]
        second = np.asarray(complete_picture(model, Image.fromarray(picture), M, seed=5))
        np.testing.assert_array_equal(first[M], second[M])


def test_seed_and_controls_decide_and_the_batch_does_not(model: Model) -> None:
    rng = np.random.default_rng(0)
    pictures = [noise(32, 40, "RGB", rng) for _ in range(3)]
    M = np.zeros((32, 40), bool)
    M[4:20, 5:25] = True
    alone = [np.asarray(complete_picture(model, p, M, seed=1)) for p in pictures]
    batch = complete_pictures(model, pictures, [M] * 3, seed=1)
    assert max(np.abs(np.int16(a) - np.asarray(b)).max() for a, b in zip(alone, batch, strict=True)) <= 1
    again = np.asarray(complete_picture(model, pictures[0], M, seed=1))
    np.testing.assert_array_equal(alone[0], again)
    for other in ({"seed": 2}, {"seed": 1, "c": [1.0]}, {"seed": 1, "k": [3]}):
        assert (np.asarray(complete_picture(model, pictures[0], M, **other)) != alone[0]).any()
    short = np.asarray(complete_picture(model, pictures[0], M, c=[0.5], k=[1]))
    full = np.asarray(complete_picture(model, pictures[0], M, c=[0.5, 0, 0], k=[1, 0]))
    np.testing.assert_array_equal(short, full)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"c": [0, 1.01]}, "slider 1 is 1.01"),
        ({"c": [float("nan")]}, "slider 0 is nan"),
        ({"c": [0, 0, 0, 0]}, "c has 4 numbers, but the model takes at most 3"),
        ({"k": [4]}, "code 0 is 4, but codes go from 0 to 3"),
        ({"k": [-1]}, "code 0 is -1"),
        ({"k": [0, 0, 0]}, "at most 2"),
    ],
)
def test_controls_out_of_range_are_named(given: Any, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        complete_picture(Painter(), Image.new("RGB", (16, 16)), np.ones((16, 16), bool), **given)


def test_masks_that_do_not_fit_are_refused() -> None:
    picture = Image.new("RGB", (20, 10))
    with pytest.raises(UserError, match="mask is 10x20 pixels, the image 20x10"):
        complete_picture(Painter(), picture, np.ones((20, 10), bool))
    with pytest.raises(UserError, match="mask is empty"):
        complete_picture(Painter(), picture, np.zeros((10, 20), bool))


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_picture_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match="cannot be read") as caught:
        read_picture(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, number: float) -> None:
    pixels = np.zeros((9, 9), np.float32)
    pixels[3, 4] = number
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    for read in (read_picture, read_mask):
        with pytest.raises(UserError, match=r"a\.tif holds numbers that are not finite"):
            read(tmp_path / "a.tif")


def test_truncated_and_animated_pictures_are_refused(tmp_path: Path) -> None:
    noise(60, 60, "RGB", np.random.default_rng(0)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:3000])
    with pytest.raises(UserError, match="cannot be read"):
        read_picture(tmp_path / "cut.png")
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 255)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(UserError, match="animated"):
        read_picture(tmp_path / "moving.gif")


def test_recolouring_keeps_the_lightness_at_full_size_and_all_outside() -> None:
    """The model sees 32 px; what it paints is enlarged, what the picture shows is not blurred."""
    torch.manual_seed(0)
    params = RoIGANModel(system="roigan", width=0.1, noise=8, sliders=3, codes=2, values=4, space="lab")
    config = {"image_size": 32, "channels": 3, "model": params.model_dump(), "weights_sha256": "0"}
    model = Model({"G": Generator(32, 3, params)}, config)
    levels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    mask = np.zeros((90, 120), bool)
    mask[20:60, 30:90] = True
    done = np.asarray(complete_picture(model, Image.fromarray(levels), mask, c=[1, 0, 0], k=[0, 0]))
    assert np.array_equal(done[~mask], levels[~mask])
    assert (done[mask] != levels[mask]).any(-1).mean() > 0.9
    before, after = (lab(to_float(image[None]))[0, 0].numpy() for image in (levels, done))
    assert np.abs(after - before)[mask].max() < 0.5  # of L's 100
    with pytest.raises(UserError, match="changes colours, and the picture is grey"):
        complete_picture(model, Image.fromarray(levels[..., 0]), mask)
