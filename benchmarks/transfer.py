"""Edit transfer on photographs whose edit is known: how near the true picture each way of editing comes.

    python -m benchmarks.transfer

Photographs that ship with scikit-image, 256 px. An edit moves a part (by 12 px at most), tints it, or both;
the "generated" frames are the photograph along the edit, at 64 px and blurred, as a prior's images are.
Writes docs/results/igan-transfer.csv (PSNR in dB, higher is better) and docs/images/igan-transfer.png.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from skimage import data

from roigan.images.grids import grid, save_png
from roigan.inference.transfer import along, carried, enlarged, sampled

SIDE, SMALL, FRAMES, BLUR = 256, 64, 8, 1.0  # pixels; pixels; of the path; pixels of a frame
THUMB = 160  # pixels of a picture that is shown
PHOTOS = {"astronaut": data.astronaut, "cat": data.chelsea, "coffee": data.coffee}
SHIFT, TINT = 12.0, np.array([0.25, -0.1, -0.15], np.float32)
Image = np.ndarray  # float32 [H, W, 3] in [0, 1]


def main() -> None:
    rows, shown = [], []
    for photo, load in PHOTOS.items():
        x = square(load())
        for kind, edit in EDITS.items():
            truth = edit(x, 1.0)
            frames = [small(edit(x, t)) for t in np.linspace(0, 1, FRAMES)]
            found = {name: method(x, frames) for name, method in METHODS.items()}
            rows += [
                {"photo": photo, "edit": kind, "method": name, "psnr": psnr(y, truth)}
                for name, y in found.items()
            ]
            if kind == "both":
                shown += [x, truth, *(found[name] for name in SHOWN)]
    table = pd.DataFrame(rows)
    table.to_csv("docs/results/igan-transfer.csv", index=False, float_format="%.4g")
    levels = [np.rint(image * 255).astype(np.uint8) for image in shown]
    smaller = [cv2.resize(image, (THUMB, THUMB), interpolation=cv2.INTER_AREA) for image in levels]
    save_png(Path("docs/images/igan-transfer.png"), grid(np.stack(smaller), 2 + len(SHOWN)))
    print(table.pivot_table(index="method", columns="edit", values="psnr", sort=False).round(2))


def square(photo: np.ndarray) -> Image:
    """The largest square in the middle, at 256 px."""
    side = min(photo.shape[:2])
    top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
    cut = photo[top : top + side, left : left + side, :3].astype(np.float32) / 255
    return cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def small(x: Image) -> Image:
    """As a prior would show it."""
    return cv2.GaussianBlur(cv2.resize(x, (SMALL, SMALL), interpolation=cv2.INTER_AREA), (0, 0), BLUR)


def part() -> np.ndarray:
    """1 in the middle, falling smoothly to 0: float32 [256, 256]."""
    at = (np.mgrid[:SIDE, :SIDE] / (SIDE - 1) - 0.5) * 2
    return np.exp(-(at**2).sum(0) / 0.25).astype(np.float32)


def moved(x: Image, t: float) -> Image:
    """The middle moves down and to the left."""
    return sampled(x, (part()[..., None] * np.array([1, -0.6]) * SHIFT * t).astype(np.float32))


def tinted(x: Image, t: float) -> Image:
    """The middle becomes darker and redder."""
    gain = 1 - 0.3 * t * part()[..., None]
    return (gain * x + t * part()[..., None] * TINT).clip(0, 1)


def both(x: Image, t: float) -> Image:
    """It moves and changes its colour."""
    return tinted(moved(x, t), t)


EDITS: dict[str, Callable[[Image, float], Image]] = {"moved": moved, "tinted": tinted, "both": both}


def larger(x: Image) -> Image:
    """At 256 px."""
    return cv2.resize(x, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def transferred(rounds: int, frames: slice = slice(None)) -> Callable[[Image, list[Image]], Image]:
    """By edit transfer."""
    return lambda x, path: carried(enlarged(along(path[frames], rounds), x), x).clip(0, 1)


METHODS: dict[str, Callable[[Image, list[Image]], Image]] = {
    "photograph as it is": lambda x, path: x,
    "last frame, enlarged": lambda x, path: larger(path[-1]).clip(0, 1),
    "x + G(z1) - G(z0)": lambda x, path: (x + larger(path[-1] - path[0])).clip(0, 1),
    "transfer, 1 round": transferred(1),
    "transfer, 2 rounds": transferred(2),
    "transfer, 3 rounds": transferred(3),
    "transfer, 5 rounds": transferred(5),
    "transfer, 3 rounds, without a path": transferred(3, slice(None, None, FRAMES - 1)),
}
SHOWN = ("x + G(z1) - G(z0)", "transfer, 3 rounds")


def psnr(y: Image, truth: Image) -> float:
    """In dB."""
    return float(-10 * np.log10(np.square(y - truth).mean()))


if __name__ == "__main__":
    main()
