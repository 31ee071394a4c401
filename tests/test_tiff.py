"""Depth and meaning of a TIFF's colours, which live in its tags: right in both readers, or refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roigan.errors import UserError
from roigan.image_io.contents import Unusable
from roigan.image_io.decode import decode
from roigan.image_io.lossless import read_picture
from tests.tiff import DEFLATE, RAW, tiff, turned

SIZE = (6, 11)
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK = 0, 1, 2, 3, 5
SIGNED, FLOAT = 2, 3
CHANNELS = {RGB: 3, CMYK: 4}


def values(bits: int, channels: int, numbers: int | None, extra: tuple[int, ...]) -> np.ndarray:
    """[H, W, C] over the whole range; premultiplied where the extra channel says so."""
    rng = np.random.default_rng(bits + channels)
    if numbers == FLOAT:
        return rng.random((*SIZE, channels), np.float32)
    kind = np.uint8 if bits == 8 else np.uint16 if bits <= 16 else np.uint32
    drawn = rng.integers(0, 2**bits, (*SIZE, channels)).astype(kind)
    if 1 in extra:
        at, white = channels - len(extra), 2**bits - 1
        drawn[..., :at] = drawn[..., :at].astype(np.uint64) * drawn[..., at : at + 1] // white
    return drawn


def expected(
    stored: np.ndarray, bits: int, colours: int, numbers: int | None, extra: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray | None]:
    """(colours float [H, W, 1, 3 or 4] in [0, 1], alpha [H, W, 1] or None)."""
    if numbers == FLOAT:
        seen = stored.astype(float)
    elif numbers == SIGNED:
        seen = stored.astype(stored.dtype.str.replace("u", "i")).astype(float)
        low, high = seen.min(), seen.max()
        seen = (seen - low) / (high - low)
    else:
        seen = stored / (2**bits - 1)
    count = seen.shape[-1] - len(extra)
    colour, alpha = seen[..., :count], seen[..., count : count + 1] if 1 in extra or 2 in extra else None
    if 1 in extra and alpha is not None:
        colour = np.where(alpha > 0, colour / np.maximum(alpha, 1e-9), colour).clip(0, 1)
    return (1 - colour if colours == WHITE_IS_ZERO else colour), alpha


def whole_range(picture: Any) -> np.ndarray:
    """What was read: float [H, W, C] in [0, 1]."""
    array = np.asarray(picture)
    array = array[..., None] if array.ndim == 2 else array
    if array.dtype.kind == "f" or array.dtype == bool:
        return array.astype(float)
    if array.dtype == np.int32:
        low, high = float(array.min()), float(array.max())
        return (array - low) / (high - low)
    return array / np.iinfo(array.dtype).max


SWEEP = list(
    itertools.product(
        [(WHITE_IS_ZERO, bits) for bits in (1, 2, 4, 8, 12, 16, 32)]
        + [(BLACK_IS_ZERO, bits) for bits in (1, 2, 4, 8, 12, 16, 32)]
        + [(RGB, 8), (RGB, 16), (RGB, 4), (RGB, 32), (CMYK, 8), (CMYK, 16)],
        (None, SIGNED, FLOAT, 4),
        ((), (0,), (1,), (2,), (0, 0), (2, 0)),
    )
)


@pytest.mark.parametrize("orientation", [None, 0, 6, 3, 9])
def test_every_kind_comes_out_right_or_is_refused(tmp_path: Path, orientation: int | None) -> None:
    path, right, wrong = tmp_path / "a.tif", set(), []
    for (colours, bits), numbers, extra in SWEEP if orientation is None else SWEEP[::7]:
        if numbers and (extra or (numbers == FLOAT and bits != 32)):
            continue  # opened by no reader
        stored = values(bits, CHANNELS.get(colours, 1) + len(extra), numbers, extra)
        colour, alpha = expected(stored, bits, colours, numbers, extra)
        colour, alpha = turned(colour, orientation), None if alpha is None else turned(alpha, orientation)
        for little, apart, packing, fill in itertools.product(
            (True, False), (False, True), (RAW, DEFLATE), (None, 2)
        ):
            if fill and packing == DEFLATE:
                continue  # the order of the bits of what is packed
            kind = (colours, bits, numbers, extra, little, apart, packing, fill)
            content = tiff(
                stored, bits, colours, little=little, extra=extra, apart=apart, fill=fill,
                orientation=orientation, numbers=numbers, packing=packing,
            )  # fmt: skip
            path.write_bytes(content)
            try:
                exact = whole_range(read_picture(path))
            except UserError:
                pass
            else:
                right.add(kind)
                close = exact.shape[:2] == colour.shape[:2]
                close = close and bool(
                    np.abs(np.where(opaque(alpha), exact[..., : colour.shape[-1]] - colour, 0)).max()
                    < 1.01 / min(2**bits, 2**16) / (1 if alpha is None else 0.05)
                )
                close = close and exact.shape[-1] == colour.shape[-1] + (alpha is not None)
                close = close and (alpha is None or np.allclose(exact[..., -1:], alpha, atol=1e-6))
                wrong += [] if close else [("exact", kind)]
            try:
                trained = np.asarray(decode(content)) / 255
            except Unusable:
                continue
            if colours == CMYK:
                seen = (1 - colour[..., :3]) * (1 - colour[..., 3:])
            else:
                seen = colour if alpha is None else colour * alpha + 1 - alpha
            trained = trained[..., None] if trained.ndim == 2 else trained
            close = trained.shape[:2] == seen.shape[:2] and bool(np.abs(trained - seen).max() < 0.02)
            wrong += [] if close else [("trained", kind)]
    assert not wrong
    if orientation is None:  # and the usual ones are not refused
        grey = {(kind[1], kind[4]) for kind in right if kind[0] == BLACK_IS_ZERO and not kind[3]}
        assert grey >= {(1, True), (8, True), (16, True), (8, False), (16, False)}
        coloured = {(kind[1], kind[3]) for kind in right if kind[0] == RGB}
        assert coloured >= {(8, ()), (8, (2,)), (16, ()), (16, (0,)), (16, (1,)), (16, (2,))}
        assert {kind[1] for kind in right if kind[0] == WHITE_IS_ZERO} >= {1, 8, 16}
        assert {kind[1] for kind in right if kind[0] == CMYK} == {8}


def opaque(alpha: np.ndarray | None) -> Any:
    """Where a colour is known at all: dividing by little alpha gives anything."""
    return True if alpha is None else alpha > 0.05


@pytest.mark.parametrize(
    ("colours", "tags"),
    [
        (CMYK, [(332, 3, [2])]),  # inks other than CMYK
        (CMYK, [(336, 3, [255, 0])]),  # 255 means no ink
        (6, [(530, 3, [1, 1])]),  # YCbCr
        (8, []),  # CIELab
        (34892, []),  # a camera's raw colours
        (None, []),
    ],
)
def test_colours_of_another_meaning_are_refused(
    tmp_path: Path, colours: int | None, tags: list[tuple[int, int, list[int]]]
) -> None:
    stored = values(8, CHANNELS.get(colours or 0, 3 if colours else 1), None, ())
    content = tiff(stored, 8, colours, tags=tags)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.tif cannot be read: .*kind of TIFF") as caught:
        read_picture(tmp_path / "a.tif")
    assert "\n" not in str(caught.value)
    with pytest.raises(Unusable, match="kind of TIFF"):
        decode(content)


@pytest.mark.parametrize("factor", [1, 256, 257])
def test_a_palette_of_eight_or_sixteen_bits(tmp_path: Path, factor: int) -> None:
    palette = np.random.default_rng(0).integers(0, 256, (3, 256))
    stored = values(8, 1, None, ())
    tags = [(320, 3, (palette * factor).ravel().tolist())]
    (tmp_path / "a.tif").write_bytes(tiff(stored, 8, PALETTE, tags=tags))
    colours = palette.T[stored[..., 0]]
    np.testing.assert_array_equal(np.asarray(read_picture(tmp_path / "a.tif")), colours)
    np.testing.assert_array_equal(np.asarray(decode((tmp_path / "a.tif").read_bytes())), colours)
