"""Where the faces of a frame are: by a cascade of LBP features, or by masks that a user has drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from skimage.data import lbp_frontal_face_cascade_filename
from skimage.feature import Cascade

from roigan.apps.anonymiser.films import natural
from roigan.apps.anonymiser.tracks import HOLD, Box, overlaps
from roigan.errors import UserError, brief
from roigan.image_io.lossless import as_channels, look, read_mask, shape_of
from roigan.image_io.reader import Picture
from roigan.inference.windows import bounds

GROWN = 1.3  # times the side of a box: a disc of that diameter reaches from the hair to the chin
SMALLEST = 24  # pixels: the side of the cascade's window
LONGEST = 1280  # pixels of a frame's longer side that the cascade looks at; larger frames are shrunk
SCALE, STEP = 1.1, 1.5  # from one size of the cascade's window to the next; pixels from place to place
AGREE = 0.5  # of intersection over union: windows that mean the same face
WEAK, SURE = 2, 4  # windows that agree: to follow a face that is known; to believe in a new one
APART = 50  # parts of a mask that lie nearer than this share of the longer side are one


class Where(Protocol):
    """What says where faces are."""

    hold: int
    """Frames that a face is covered before and after it is found."""

    def boxes(self, frame: int, picture: Picture) -> list[Box]:
        """The faces of a frame (from 0)."""

    def region(self, frame: int, raw: Box, steady: Box, shape: tuple[int, int]) -> np.ndarray:
        """What is to be generated of a face: bool [H, W]."""


class LBP:
    """A cascade of classifiers on local binary patterns (Liao et al. 2007)."""

    hold = HOLD

    def __init__(self, file: Path | None = None) -> None:
        """file: XML as OpenCV trains it; None: frontal faces. UserError where it is no such file."""
        if file and not file.is_file():
            raise UserError(f"--detector {file} does not exist; lbp is the one for frontal faces")
        try:
            frontal = lbp_frontal_face_cascade_filename()  # type: ignore[no-untyped-call]
            self._cascade = Cascade(str(file or frontal))
        except Exception as error:  # of malformed XML, whatever its reader stumbles over
            raise UserError(f"--detector {file} is no LBP cascade in OpenCV's XML ({brief(error)})") from None

    def boxes(self, frame: int, picture: Picture) -> list[Box]:
        """Faces of at least 24 pixels, where the frame is shrunk to 1280 of its longer side."""
        height, width = shape_of(picture)
        grey = as_channels(look(picture, (slice(0, height), slice(0, width))), 1)[..., 0]
        scale = max(1.0, max(height, width) / LONGEST)
        if scale > 1:
            size = max(1, round(width / scale)), max(1, round(height / scale))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        found = self._cascade.detect_multi_scale(
            img=grey, scale_factor=SCALE, step_ratio=STEP, min_size=(SMALLEST, SMALLEST),
            max_size=grey.shape, min_neighbor_number=0, intersection_score_threshold=2,  # nothing is merged
        )  # fmt: skip
        windows = [(one["r"] + one["height"] / 2, one["c"] + one["width"] / 2, one["width"]) for one in found]
        return agreed(np.array(windows, np.float64).reshape(-1, 3) * scale)

    def region(self, frame: int, raw: Box, steady: Box, shape: tuple[int, int]) -> np.ndarray:
        """A disc around the steady box and one around the raw one: a slow box must not bare a fast face."""
        return disc(raw, shape) | disc(steady, shape)


def agreed(windows: np.ndarray) -> list[Box]:
    """Faces on which windows [N, (y, x, side)] agree: the mean of those around the one that most agree with.

    What lies around the middle of a face that is there already is no other one.
    """
    boxes = []
    while len(windows):
        same = overlaps(windows) >= AGREE  # [N, N]
        most = same[same.sum(1).argmax()]
        y, x, side = windows[most].mean(0).tolist()
        if (votes := int(most.sum())) >= WEAK:
            boxes.append(Box(y, x, side, votes >= SURE))
        inside = np.abs(windows[:, :2] - (y, x)).max(1) < side / 2
        windows = windows[~(most | inside)]
    return boxes


def disc(box: Box, shape: tuple[int, int]) -> np.ndarray:
    """The pixels [H, W] whose centres lie in the disc inside a box that has been grown."""
    y, x = (np.arange(length) + 0.5 - at for length, at in zip(shape, box[:2], strict=True))
    return np.asarray(y[:, None] ** 2 + x**2 <= (GROWN * box.side / 2) ** 2)


class Masks:
    """A mask for all frames, or one for each: what is white is generated, no more and no less."""

    hold = 0

    def __init__(self, path: Path, names: Sequence[str], first: int) -> None:
        """path: a mask file, or a folder of them: paired by name with a folder's pictures, by order with the
        frames of a video, of which `first` (from 1) is asked about first. UserError where some are missing.
        """
        if not path.exists():
            raise UserError(f"--mask {path} does not exist")
        self._path, self._files = path, list[Path]()
        if not path.is_dir():
            self._mask = read_mask(path)
        elif names:
            stems = {file.stem: file for file in natural(path)}
            if alone := [name for name in names if name not in stems]:
                raise UserError(
                    f"{len(alone)} of {len(names)} frames have no mask in {path}: {alone[0]}, for one"
                )
            self._files = [stems[name] for name in names]
        else:
            self._files = natural(path)[first - 1 :]
        self._last: tuple[int, dict[Box, np.ndarray]] = -1, {}

    def boxes(self, frame: int, picture: Picture) -> list[Box]:
        """Squares whose discs would hold the parts of the mask."""
        return list(self._parts(frame, shape_of(picture)))

    def region(self, frame: int, raw: Box, steady: Box, shape: tuple[int, int]) -> np.ndarray:
        """The part of the mask that the box was made of."""
        return self._parts(frame, shape)[raw]

    def _parts(self, frame: int, shape: tuple[int, int]) -> dict[Box, np.ndarray]:
        """Parts of the mask of a frame, bool [H, W] each; those of the last frame are remembered."""
        if frame != self._last[0]:
            mask = self._read(frame)
            if mask.shape != shape:
                mine, frames = (f"{width}x{height}" for height, width in (mask.shape, shape))
                raise UserError(f"the mask of frame {frame + 1} is {mine} pixels, the frame {frames}")
            reach = max(1, max(shape) // APART)
            joined = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8))
            count, labels = cv2.connectedComponents(joined)
            parts = [mask & (labels == label) for label in range(1, count)]
            self._last = frame, {_around(part): part for part in parts}
        return self._last[1]

    def _read(self, frame: int) -> np.ndarray:
        if not self._path.is_dir():
            return self._mask
        if frame >= len(self._files):
            raise UserError(f"{self._path} has a mask for {len(self._files)} frames, and there are more")
        return read_mask(self._files[frame])


def _around(part: np.ndarray) -> Box:
    """The square whose grown one holds a part of a mask."""
    rows, columns = bounds(part)
    side = max(rows.stop - rows.start, columns.stop - columns.start) / GROWN
    return Box((rows.start + rows.stop) / 2, (columns.start + columns.stop) / 2, side)
