"""TIFF files made by hand, of kinds that Pillow and OpenCV do not write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

WIDTH, HEIGHT, BITS, PACKING, COLOURS, FILL_ORDER = 256, 257, 258, 259, 262, 266
OFFSETS, ORIENTATION, SAMPLES, ROWS, COUNTS, PLANES = 273, 274, 277, 278, 279, 284
EXTRA, FORMAT = 338, 339
SHORT, LONG = 3, 4
RAW, DEFLATE = 1, 8


def tiff(
    values: np.ndarray,
    bits: int,
    colours: int | None,
    *,
    little: bool = True,
    extra: Sequence[int] = (),
    apart: bool = False,
    fill: int | None = None,
    orientation: int | None = None,
    numbers: int | None = None,
    packing: int = RAW,
    tags: Sequence[tuple[int, int, Sequence[int]]] = (),
) -> bytes:
    """A TIFF of one strip for each plane. values: [H, W, C]; tags: further ones, (number, type, values)."""
    order = "<" if little else ">"
    height, width, samples = values.shape
    planes = [values[..., i : i + 1] for i in range(samples)] if apart else [values]
    strips = [_packed(plane, bits, fill, little) for plane in planes]
    if packing == DEFLATE:
        strips = [zlib.compress(strip) for strip in strips]
    entries: list[tuple[int, int, Sequence[int]]] = [
        (WIDTH, LONG, [width]), (HEIGHT, LONG, [height]), (BITS, SHORT, [bits] * samples),
        (PACKING, SHORT, [packing]), (SAMPLES, SHORT, [samples]), (ROWS, LONG, [height]),
        (OFFSETS, LONG, [0] * len(strips)), (COUNTS, LONG, [len(strip) for strip in strips]),
        (PLANES, SHORT, [1 + apart]), *tags,
    ]  # fmt: skip
    entries += [(COLOURS, SHORT, [colours])] if colours is not None else []
    entries += [(EXTRA, SHORT, extra)] if extra else []
    entries += [(FILL_ORDER, SHORT, [fill])] if fill else []
    entries += [(ORIENTATION, SHORT, [orientation])] if orientation is not None else []
    entries += [(FORMAT, SHORT, [numbers] * samples)] if numbers else []

    def encoded(kind: int, numbers: Sequence[int]) -> bytes:
        return struct.pack(f"{order}{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)

    after = 8 + 2 + 12 * len(entries) + 4
    sizes = [len(encoded(kind, numbers)) for _, kind, numbers in entries]
    start = after + sum(size for size in sizes if size > 4)  # of the first strip
    starts = [start + sum(map(len, strips[:i])) for i in range(len(strips))]
    table, beyond = b"", b""
    for tag, kind, numbers_ in sorted(entries):
        data = encoded(kind, starts if tag == OFFSETS else numbers_)
        place = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(f"{order}I", after + len(beyond))
        beyond += data if len(data) > 4 else b""
        table += struct.pack(f"{order}HHI", tag, kind, len(numbers_)) + place
    mark = b"II*\0" if little else b"MM\0*"
    head = mark + struct.pack(f"{order}IH", 8, len(entries))
    return head + table + struct.pack(f"{order}I", 0) + beyond + b"".join(strips)


def _packed(values: np.ndarray, bits: int, fill: int | None, little: bool) -> bytes:
    """Rows of numbers of any width; each row begins with a new byte."""
    if bits in (8, 16, 32):
        data = values.astype(values.dtype.newbyteorder("<" if little else ">")).tobytes()
    else:
        rows = values.reshape(len(values), -1)
        digits = (rows[..., None] >> np.arange(bits)[::-1]) & 1  # [H, numbers, bits]
        data = np.packbits(digits.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()
    if fill == 2:
        octets = np.unpackbits(np.frombuffer(data, np.uint8)[:, None], axis=1)
        data = np.packbits(octets[:, ::-1], axis=1).tobytes()
    return data


def turned(values: np.ndarray, orientation: int | None) -> np.ndarray:
    """[H, W, ...] as it is to be seen."""
    upright = {
        2: values[:, ::-1], 3: values[::-1, ::-1], 4: values[::-1], 5: values.swapaxes(0, 1),
        6: np.rot90(values, -1), 7: values[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(values),
    }  # fmt: skip
    return upright.get(orientation or 1, values)
