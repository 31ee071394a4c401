"""The one reader of pictures: right from bytes, closed against whatever files hold, and metadata kept."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from roigan.errors import UserError
from roigan.image_io.contents import Unusable
from roigan.image_io.decode import decode
from roigan.image_io.lossless import read_mask, read_picture, save_picture
from roigan.image_io.reader import read
from tests.tiff import tiff, turned

FUZZ = int(os.environ.get("ROIGAN_FUZZ", "400"))
"""How many altered files the reader must survive."""


def noise(height: int, width: int, *channels: int, top: int = 256) -> np.ndarray:
    kind = np.uint8 if top == 256 else np.uint16
    return np.random.default_rng(0).integers(0, top, (height, width, *channels)).astype(kind)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    return png[:33] + b"".join(chunks) + png[33:]


def encode(image: Image.Image | np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(buffer, kind, **options)
    return buffer.getvalue()


# --- One reader ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(9))
def test_a_turned_tiff_is_upright_as_picture_and_as_mask(tmp_path: Path, orientation: int) -> None:
    """Read by name, Pillow maps an uncompressed one into memory with its sides confused."""
    stored = noise(6, 11)
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(stored[..., None], 8, 1, orientation=orientation))
    upright = turned(stored, orientation)
    np.testing.assert_array_equal(np.asarray(read_picture(path)), upright)
    np.testing.assert_array_equal(read_mask(path), upright >= 128)
    np.testing.assert_array_equal(np.asarray(decode(path.read_bytes())), upright)


@pytest.mark.parametrize("orientation", range(9))
def test_sixteen_bit_colour_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    deep = noise(6, 11, 3, top=2**16)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = cv2.imencode(".png", deep[..., ::-1])[1].tobytes()
    path = tmp_path / "a.png"
    path.write_bytes(with_chunks(content, chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))))
    np.testing.assert_array_equal(np.asarray(read_picture(path)), turned(deep, orientation))
    np.testing.assert_array_equal(np.asarray(decode(path.read_bytes())), turned(deep, orientation) >> 8)


def test_a_colour_that_means_transparent_in_sixteen_bits(tmp_path: Path) -> None:
    deep = noise(6, 11, 3, top=2**16)
    content = cv2.imencode(".png", deep[..., ::-1])[1].tobytes()
    path = tmp_path / "a.png"
    path.write_bytes(with_chunks(content, chunk(b"tRNS", struct.pack(">3H", *deep[2, 3].tolist()))))
    clear = np.zeros((6, 11), bool)
    clear[2, 3] = True
    picture = np.asarray(read_picture(path))
    np.testing.assert_array_equal(picture[..., :3][~clear], deep[~clear])
    np.testing.assert_array_equal(picture[..., 3], np.where(clear, 0, 65535))
    trained = np.asarray(decode(path.read_bytes()))
    np.testing.assert_array_equal(trained, np.where(clear[..., None], 255, deep >> 8))


@pytest.mark.parametrize("most", [511, 1023, 65534])
def test_depth_that_a_ppm_would_lose_is_refused(tmp_path: Path, most: int) -> None:
    path = tmp_path / "a.ppm"
    path.write_bytes(b"P6 2 1 %d\n" % most + struct.pack(">6H", 0, 1, 2, most, 5, 6))
    with pytest.raises(UserError, match="colour with more than 8 bits in PPM"):
        read_picture(path)
    assert decode(path.read_bytes()).getpixel((1, 0))[0] == 255


def test_a_tiff_that_was_jpeg_is_not_written_as_jpeg_again(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(encode(noise(24, 20, 3), "TIFF", compression="jpeg"))
    picture = read_picture(tmp_path / "a.tif")
    assert isinstance(picture, Image.Image)
    save_picture(picture.copy(), tmp_path / "out.tif")
    np.testing.assert_array_equal(np.asarray(read_picture(tmp_path / "out.tif")), np.asarray(picture))


# --- Closed against everything ------------------------------------------------------------------------


def samples() -> Iterator[bytes]:
    """A small file of every format and of many kinds."""
    colour, grey, deep = noise(24, 20, 3), noise(24, 20), noise(24, 20, 3, top=2**16)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a picture"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    frames = [Image.fromarray(grey), Image.fromarray(grey[::-1].copy())]
    for kind in ("PNG", "JPEG", "TIFF", "WEBP", "AVIF", "GIF", "BMP", "PPM", "JPEG2000"):
        yield encode(
            colour, kind, **({"exif": exif} if kind not in ("BMP", "PPM", "GIF", "JPEG2000") else {})
        )
        yield encode(grey, kind)
    for kind in ("PNG", "TIFF", "GIF", "WEBP"):
        yield encode(frames[0], kind, save_all=True, append_images=frames[1:])
    for mode in ("1", "LA", "P", "RGBA", "CMYK", "I;16"):
        image = Image.fromarray(deep[..., 0]) if mode == "I;16" else Image.fromarray(colour).convert(mode)
        yield encode(image, "TIFF")
        yield encode(image if mode != "CMYK" else image.convert("RGB"), "PNG", dpi=(300, 300))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        yield encode(colour, "TIFF", compression=compression)
    yield encode(Image.fromarray(colour).convert("1"), "TIFF", compression="group4")
    yield encode(np.random.default_rng(0).random((9, 8), np.float32), "TIFF")
    for ending in (".png", ".tif", ".ppm"):
        yield cv2.imencode(ending, deep)[1].tobytes()
    yield tiff(noise(24, 20, 4, top=2**16), 16, 2, extra=[1], orientation=5)
    yield tiff(noise(24, 20, 3), 8, 2, apart=True)


def altered(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut, or some bytes changed (mostly in the header), doubled or left out."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        reach = len(data) if rng.random() < 0.4 else min(len(data), 200)
        at = int(rng.integers(reach)) if reach else 0
        match int(rng.integers(8)):
            case 0:
                del data[at:]
            case 1:
                del data[at : at + int(rng.integers(1, 9))]
            case 2:
                data[at:at] = data[at : at + int(rng.integers(1, 40))]
            case 3:
                data[at : at + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
            case _:
                if data:
                    data[at] = int(rng.integers(256))
    return bytes(data)


def test_the_reader_survives_whatever_a_file_holds(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """More of them: ROIGAN_FUZZ=10000."""
    bases = list(samples())
    for content in bases:  # none of them is refused because of the sample itself
        said = complaint(lambda content=content: read(content, exact=True))
        assert said is None or "of several pages" in said
    read_rightly, path = 0, tmp_path / "a.png"
    for number in range(FUZZ):
        path.write_bytes(altered(bases[number % len(bases)], np.random.default_rng(number)))
        complaint(lambda: decode(path.read_bytes()))
        if complaint(lambda: read_picture(path)) is not None:
            continue
        read_rightly += 1
        picture = read_picture(path)
        mode = "" if isinstance(picture, np.ndarray) else picture.mode
        for ending in (".tif",) if mode in ("I", "F", "CMYK") else (".png", ".tif"):
            save_picture(picture, tmp_path / f"out{ending}")  # with whatever metadata there was
            np.testing.assert_array_equal(np.asarray(read_picture(tmp_path / f"out{ending}")), picture)
    assert 0.02 < read_rightly / FUZZ < 0.9
    assert capfd.readouterr().err == ""  # nor do libraries say anything


def complaint(use: Callable[[], object]) -> str | None:
    """The line with which a file is refused, if it is; any other exception fails the test."""
    try:
        use()
    except (UserError, Unusable) as error:
        line = str(error)
        assert line
        assert "\n" not in line
        return line
    return None


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PNG", "WEBP"])
def test_every_cut_of_a_file_of_several_pages_is_refused_or_read(tmp_path: Path, kind: str) -> None:
    frames = [Image.fromarray(noise(6, 5)) for _ in range(3)]
    content = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    for length in range(len(content)):
        (tmp_path / "a").write_bytes(content[:length])
        complaint(lambda: read_picture(tmp_path / "a"))
        complaint(lambda length=length: decode(content[:length]))


def test_texts_of_any_length_in_a_png_are_passed_over(tmp_path: Path) -> None:
    colour = noise(6, 11, 3)
    text = [chunk(b"zTXt", b"k%d\0\0" % i + zlib.compress(bytes(2_000_000))) for i in range(70)]
    (tmp_path / "a.png").write_bytes(with_chunks(encode(colour), *text))
    np.testing.assert_array_equal(np.asarray(read_picture(tmp_path / "a.png")), colour)
    np.testing.assert_array_equal(np.asarray(decode((tmp_path / "a.png").read_bytes())), colour)
    profile = chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(3_000_000)))
    (tmp_path / "a.png").write_bytes(with_chunks(encode(colour), profile))
    np.testing.assert_array_equal(np.asarray(read_picture(tmp_path / "a.png")), colour)


def test_corrupt_exif_is_passed_over_in_silence(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "a picture", 3
    content = encode(noise(6, 11, 3), "JPEG", exif=exif)
    at = content.find(b"Exif\0\0") + 10  # the offset of the first entry
    (tmp_path / "a.jpg").write_bytes(content[:at] + b"\xff\xff\xff\x7f" + content[at + 4 :])
    code = f"""if True:
        from pathlib import Path
        from roigan.image_io.lossless import read_picture, save_picture
        save_picture(read_picture(Path({str(tmp_path / "a.jpg")!r})), Path({str(tmp_path / "out.png")!r}))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# --- What is kept -------------------------------------------------------------------------------------


def full_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8298], exif[0x0100] = 6, "a camera", "somebody", 11
    exif.get_ifd(0x8769).update({0x9003: "2020:01:01 00:00:00", 0xA002: 11, 0xA003: 6})
    exif.get_ifd(0x8825)[1] = "N"
    return exif


@pytest.mark.parametrize("out", ["out.png", "out.tif"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "deep"])
def test_resolution_profile_gamma_and_exif_are_kept_but_the_rotation(
    tmp_path: Path, kind: str, out: str
) -> None:
    options: dict[str, Any] = {"dpi": (300, 300), "icc_profile": b"a profile", "exif": full_exif().tobytes()}
    colour = noise(6, 11, 3)
    if kind == "deep":
        like = encode(colour, "PNG", **options)
        plain = cv2.imencode(".png", colour.astype(np.uint16) * 257)[1].tobytes()
        content = plain[:33] + like[33 : like.find(b"IDAT") - 4] + plain[33:]
    else:
        content = encode(colour, kind, **options)
    if kind in ("PNG", "deep"):
        content = with_chunks(content, chunk(b"gAMA", struct.pack(">I", 100_000)))
    (tmp_path / "in").write_bytes(content)
    save_picture(read_picture(tmp_path / "in"), tmp_path / out)
    with Image.open(tmp_path / out) as image:
        assert image.size == (6, 11)
        if kind == "deep" and out == "out.tif":
            return  # said on standard error
        assert np.allclose(image.info["dpi"], 300, atol=0.01)
        assert image.info["icc_profile"] == b"a profile"
        assert image.info.get("gamma") == (1.0 if kind in ("PNG", "deep") and out == "out.png" else None)
        exif = image.getexif()
        assert exif.get(0x0112, 1) == 1
        assert (exif[0x010F], exif[0x8298]) == ("a camera", "somebody")
        assert exif.get(0x0100, 6) == 6
        assert exif.get_ifd(0x8769) == {0x9003: "2020:01:01 00:00:00"}
        assert exif.get_ifd(0x8825) == {1: "N"}


def test_a_large_picture_and_its_mask_take_few_bytes_a_pixel(tmp_path: Path) -> None:
    side, code = (
        3000,
        """if True:
        import resource, sys
        from pathlib import Path
        import numpy as np
        from roigan.image_io.lossless import look, paint, read_mask, read_picture
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        picture, mask = read_picture(Path(sys.argv[1])), read_mask(Path(sys.argv[2]))
        rows = slice(5, 50)
        paint(picture, (rows, rows), mask[rows, rows], look(picture, (rows, rows)))
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)""",
    )
    Image.new("RGB", (side, side), (1, 2, 3)).save(tmp_path / "a.png")
    mask = Image.new("RGBA", (side, side))
    mask.paste((255, 255, 255, 255), (10, 10, 40, 40))
    mask.save(tmp_path / "mask.png")
    command = [sys.executable, "-c", code, str(tmp_path / "a.png"), str(tmp_path / "mask.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) / side**2 < 16
