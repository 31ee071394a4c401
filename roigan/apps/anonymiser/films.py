"""A film: a folder of pictures in natural order, or a video; frames in and out, one after the other."""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from roigan.errors import UserError
from roigan.files.atomic import writing
from roigan.image_io import video
from roigan.image_io.decode import is_picture
from roigan.image_io.lossless import fit_format, read_picture, save_picture, shape_of
from roigan.image_io.metadata import NOTE
from roigan.image_io.reader import Picture
from roigan.inference.jobs import pictures_in

ALTERED = "Altered: faces in this film were replaced by generated ones (roigan anonymise)."
RATE = 25.0  # frames per second of a video that is made of a folder
SEEN = ("icc_profile", "gamma", "transparency")
"""Of what a file says beside its pixels: without it they would look otherwise."""
OTHERS = (".avi", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")
"""Of names that mean no folder."""
Put = Callable[[Picture], None]


class Film(NamedTuple):
    """Frames that can be gone through more than once."""

    path: Path
    first: int
    """The number of its first frame, from 1."""
    length: int
    """Frames; of a video, as its header has it, which may err, or as the span says."""
    names: list[str]
    """Of the frames, without ending; empty for a video."""
    rate: float
    read: Callable[[], Iterator[Picture]]
    """All frames from the first one on; UserError for one that cannot be read, or is of another size."""


def open_film(path: Path, span: tuple[int, int] | None = None) -> Film:
    """A folder or video; span: its first and last frame, from 1. UserError where there are no such frames."""
    if not path.exists():
        raise UserError(f"{path} does not exist")
    if not (path.is_dir() or path.is_file()):
        raise UserError(f"{path} is neither a folder nor a file")
    first, last = span or (1, None)
    if path.is_dir():
        files = natural(path)
        if last and last > len(files):
            raise _beyond(path, first, last, len(files))
        files = files[first - 1 : last]
        stems = [file.stem for file in files]
        if twice := [stem for stem, count in Counter(stems).items() if count > 1]:
            raise UserError(f"{path} has two pictures of the name {twice[0]}; rename one")
        return Film(path, first, len(files), stems, RATE, lambda: _alike(map(_picture, files), stems))
    opened = video.open_video(path)
    length = last - first + 1 if last else opened.promised
    return Film(path, first, length, [], opened.rate, lambda: _played(opened, first, last))


def natural(folder: Path) -> list[Path]:
    """The pictures of a folder, frame 10 behind frame 9."""

    def key(path: Path) -> list[tuple[str, int]]:
        return [(text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d*)", path.name)]

    return sorted(pictures_in(folder), key=key)


def _picture(file: Path) -> Picture:
    try:
        return fit_format(read_picture(file), Path(".png"))
    except UserError as error:
        raise error if str(file) in str(error) else UserError(f"{file}: {error}") from None


def _played(opened: video.Video, first: int, last: int | None) -> Iterator[Picture]:
    """Of a video; UserError where there is none, or fewer than the span says."""
    number = first - 1
    for number, frame in enumerate(video.frames(opened, first - 1), first):
        yield frame
        if number == last:
            return
    if last:
        raise _beyond(opened.path, first, last, number)
    if number < first:
        raise UserError(f"{opened.path}: no frame could be read")


def _beyond(path: Path, first: int, last: int, count: int) -> UserError:
    return UserError(f"--span {first}-{last}: {path} ends before, at frame {count} at the latest")


def _alike(pictures: Iterator[Picture], names: list[str]) -> Iterator[Picture]:
    """UserError at the first frame of another size."""
    shape = None
    for picture, name in zip(pictures, names, strict=True):
        shape = shape or shape_of(picture)
        if shape_of(picture) != shape:
            (height, width), (first, second) = shape_of(picture), shape
            raise UserError(f"frame {name} is {width}x{height}, the ones before it {second}x{first}")
        yield picture


def writing_film(out: Path, film: Film) -> AbstractContextManager[Put]:
    """A function that appends a frame to a folder or video, which takes its place once all are there.

    PNG files have the names of a folder's pictures, or the numbers of a video's frames. Nothing but colour
    profile and gamma is taken over beside the pixels; each file says that it is altered. UserError where
    `out` is there already, or cannot be written.
    """
    if out.exists():
        raise UserError(f"{out} exists already; name another place")
    ending = out.suffix.lower()
    if ending in video.CODECS:
        codec = video.CODECS[ending]
        if not codec.lossless:
            print(f"note: {out}: {codec.name} alters every pixel a little; .mkv alters none", file=sys.stderr)
        return _as_video(out, film)
    if ending in OTHERS or is_picture(out.name):
        known = " or ".join(video.CODECS)
        raise UserError(f"--out {out}: a video is written as {known}, else a folder of PNG files is meant")
    return _as_folder(out, film)


@contextmanager
def _as_folder(out: Path, film: Film) -> Iterator[Put]:
    with writing(out) as unfinished:
        shutil.rmtree(unfinished, ignore_errors=True)  # of a run that was killed
        unfinished.mkdir()
        numbers = iter(range(film.first, sys.maxsize))
        names = iter(film.names or map("{:06d}".format, numbers))

        def put(picture: Picture) -> None:
            info = getattr(picture, "info", {})
            kept = {key: info[key] for key in SEEN if key in info} | {NOTE: ALTERED}
            info.clear()
            info.update(kept)
            save_picture(picture, unfinished / f"{next(names)}.png")

        yield put


@contextmanager
def _as_video(out: Path, film: Film) -> Iterator[Put]:
    first = next(film.read())
    height, width = shape_of(first)
    _as_rgb(first, out)
    with video.writing_video(out, film.rate, (width, height), ALTERED) as append:
        yield lambda picture: append(_as_rgb(picture, out))


def _as_rgb(picture: Picture, out: Path) -> Image.Image:
    if not isinstance(picture, Image.Image) or picture.mode not in ("RGB", "L"):
        raise UserError(f"{out}: a video has 8-bit colour without transparency; write a folder")
    return picture.convert("RGB")
