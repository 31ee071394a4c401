"""Videos by OpenCV: frames of 8-bit colour at a constant rate; FFV1 in .mkv comes back bit for bit.

Sound, titles, subtitles and time stamps are not read, so none is written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from roigan.errors import UserError
from roigan.files.atomic import writing
from roigan.image_io import matroska

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # else its complaints go to standard error


class Codec(NamedTuple):
    """How a video is written."""

    name: str
    code: str
    lossless: bool


CODECS = {".mkv": Codec("FFV1", "FFV1", True), ".mp4": Codec("MPEG-4", "mp4v", False)}
"""By the ending of the file to be written."""
CONTAINERS: dict[str, tuple[int, bytes]] = {
    "Matroska": (0, b"\x1aE\xdf\xa3"),
    "AVI": (8, b"AVI "),
    "MP4": (4, b"ftyp"),
}
"""Where a file says what it is. A fixed list: FFmpeg also takes play lists, which have other files opened."""


class Video(NamedTuple):
    """What a video file says of itself."""

    path: Path
    rate: float
    """Frames per second."""
    promised: int
    """Frames by its header, which may err."""


def open_video(path: Path) -> Video:
    """UserError where it is no video that can be read."""
    capture = _capture(path)
    rate, promised = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    capture.release()
    return Video(path, rate if 0 < rate <= 1000 else 25.0, max(0, int(promised)))


def frames(video: Video, first: int = 0) -> Iterator[Image.Image]:
    """The frames from number `first` (from 0) on, upright, as RGB."""
    capture = _capture(video.path)
    try:
        for _ in range(first):
            if not capture.grab():
                return
        while (read := capture.read())[0]:
            yield Image.fromarray(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    finally:
        capture.release()


def _capture(path: Path) -> cv2.VideoCapture:
    with path.open("rb") as file:
        start = file.read(16)
    if any(start[at:].startswith(mark) for at, mark in CONTAINERS.values()):
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if capture.isOpened():
            return capture
    kinds = ", ".join(CONTAINERS)
    raise UserError(f"{path} is no video that can be read; known are {kinds}, in FFmpeg's usual codecs")


@contextmanager
def writing_video(
    path: Path, rate: float, size: tuple[int, int], note: str
) -> Iterator[Callable[[Image.Image], None]]:
    """A function that appends a frame, RGB of `size` (width, height); the file takes its place once all of
    them are there. A .mkv carries the note as its tag COMMENT. UserError where it cannot be written.
    """
    codec = CODECS[path.suffix.lower()]
    if size[0] % 2 or size[1] % 2:  # OpenCV would cut the last row or column off
        raise UserError(
            f"{path}: videos have even sides, and the frames are {size[0]}x{size[1]}; write a folder"
        )
    with writing(path) as unfinished:
        writer = cv2.VideoWriter(
            str(unfinished), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec.code), rate, size
        )
        if not writer.isOpened():
            raise UserError(f"{path} cannot be written; name another place")
        count = 0

        def append(frame: Image.Image) -> None:
            nonlocal count
            writer.write(cv2.cvtColor(np.asarray(frame), cv2.COLOR_RGB2BGR))
            count += 1

        try:
            yield append
        finally:
            writer.release()
        if (kept := count_frames(unfinished)) != count:  # OpenCV overlooks a full disk
            raise UserError(f"{path}: only {kept} of {count} frames could be written; is the disk full?")
        if path.suffix.lower() == ".mkv":
            matroska.add_comment(unfinished, note)


def count_frames(path: Path) -> int:
    """How many frames a video really has."""
    capture = _capture(path)
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count
