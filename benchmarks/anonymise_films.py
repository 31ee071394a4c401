"""Films anonymised: how often faces are found, how much of them stays bare, how much the new ones flicker.

    python -m benchmarks.anonymise_films MODEL WORKSPACE PHOTOS [--films 40] [--frames 10] [--filled 6]

MODEL and WORKSPACE as for benchmarks.anonymise, into whose table the rows go; PHOTOS: a zip of photographs.
Faces are looked for in all films; the first ones are anonymised.
No film is at hand: test faces of 64 px, enlarged to about 128, move on known paths over photographs of 640 x
360, with noise of two levels that is new in every frame.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image

from benchmarks.anonymise import CENTRE, RADIUS, WEIGHTS, record
from benchmarks.measuring import provenance
from roigan.apps.anonymiser.anonymise import Look, pieces, replace
from roigan.apps.anonymiser.detect import LBP, disc
from roigan.apps.anonymiser.tracks import Box, Track, follow
from roigan.errors import exit_on_user_error
from roigan.image_io.reader import Picture
from roigan.images.arrays import load_split
from roigan.systems.model import Model

WIDTH, HEIGHT, FACE = 640, 360, 128
FIRST = 300  # of the test faces: the detector's numbers were chosen on the first 40
FEATURES = 0.3  # radius of eyes, nose and mouth in sides of a face's square
BARE = 0.9  # of them must be covered


class Film(NamedTuple):
    """Frames and where the face is in each."""

    frames: list[Picture]
    squares: list[tuple[int, int, int]]
    """Top, left, side."""


def films(faces: np.ndarray, photos: Path, count: int, length: int) -> Iterator[Film]:
    """Made of faces uint8 [N, 64, 64, 3]; every one moves on a path of its own."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(photos) as archive:
        names = sorted(name for name in archive.namelist() if "/test/" in name and name.endswith(".jpg"))
        for number in range(count):
            photo = cv2.imdecode(
                np.frombuffer(archive.read(names[FIRST + number]), np.uint8), cv2.IMREAD_COLOR
            )
            ground = cv2.resize(photo[..., ::-1], (WIDTH, WIDTH), interpolation=cv2.INTER_CUBIC)
            ground = ground[(WIDTH - HEIGHT) // 2 :][:HEIGHT]
            phase, frames, squares = rng.uniform(0, 2 * np.pi, 3), [], []
            for t in np.arange(length) / 25:  # seconds
                side = round(FACE * (1 + 0.12 * np.sin(2 * t + phase[0])))
                top = round((HEIGHT - side) / 2 * (1 + 0.8 * np.sin(1.5 * t + phase[1])))
                left = round((WIDTH - side) / 2 * (1 + 0.8 * np.sin(t + phase[2])))
                frame = ground.astype(np.float32)
                frame[top : top + side, left : left + side] = cv2.resize(
                    faces[number], (side, side), interpolation=cv2.INTER_CUBIC
                )
                frame = frame + rng.normal(0, 2, frame.shape)
                frames.append(Image.fromarray(frame.round().clip(0, 255).astype(np.uint8)))
                squares.append((top, left, side))
            yield Film(frames, squares)


def found_in(film: Film, boxes: list[list[Box]], tracks: list[Track]) -> dict[str, list[float]]:
    """By measure, a number for every frame or film."""
    seen: dict[str, list[float]] = {
        "found, frames": [], "found surely, frames": [], "bare frames, detector alone": [],
        "bare frames": [], "face covered": [], "films with a bare frame": [], "false faces per film": [],
    }  # fmt: skip
    shape, hits = (HEIGHT, WIDTH), set[int]()
    for at, (top, left, side) in enumerate(film.squares):
        y, x = top + CENTRE[0] / 64 * side, left + CENTRE[1] / 64 * side
        near = [box for box in boxes[at] if max(abs(box.y - y), abs(box.x - x)) < side / 4]
        seen["found, frames"].append(bool(near))
        seen["found surely, frames"].append(any(box.sure for box in near))
        there = pieces(at, shape, LBP(), tracks)
        hits |= {piece.number for piece in there if _covers(tracks[piece.number], at, y, x, side)}
        everything = np.logical_or.reduce([np.zeros(shape, bool), *(piece.region for piece in there)])
        alone = np.logical_or.reduce([np.zeros(shape, bool), *(disc(box, shape) for box in near if box.sure)])
        features, face = (_around(y, x, radius * side) for radius in (FEATURES, RADIUS / 64))
        seen["bare frames"].append(everything[features].mean() < BARE)
        seen["bare frames, detector alone"].append(alone[features].mean() < BARE)
        seen["face covered"].append(everything[face].mean())
    seen["films with a bare frame"].append(any(seen["bare frames"]))
    seen["false faces per film"].append(len(tracks) - len(hits))
    return seen


def _covers(track: Track, at: int, y: float, x: float, side: int) -> bool:
    boxes = track.boxes(at)
    return bool(boxes) and max(abs(boxes[0].y - y), abs(boxes[0].x - x)) < side / 2


def _around(y: float, x: float, radius: float) -> np.ndarray:
    """A disc: bool [H, W]."""
    rows, columns = np.arange(HEIGHT) + 0.5 - y, np.arange(WIDTH) + 0.5 - x
    return np.asarray(rows[:, None] ** 2 + columns**2 <= radius**2)


def anonymised(model: Model, film: Film, tracks: list[Track]) -> dict[str, list[Picture]]:
    """The film by everything that is compared."""
    where, frames = LBP(), film.frames

    def alone(at: int, track: Track) -> Track | None:
        """A frame's part of a track, as the track of a film of one frame."""
        boxes = track.boxes(at)
        return Track(0, [boxes[0]], [boxes[1]], [True]) if boxes else None

    fresh = [
        next(replace(model, [frame], where, [alone(at, track) for track in tracks], Look(seed=at)))
        for at, frame in enumerate(frames)
    ]
    raw = [track._replace(steady=track.raw) for track in tracks]
    mosaics = [
        mosaic(frame, [box[0] for t in tracks if (box := t.boxes(at))]) for at, frame in enumerate(frames)
    ]
    ours = {
        f"this model, e = {e:g}": list(replace(model, frames, where, tracks, Look(expression=e)))
        for e in (0.0, WEIGHTS[-1])
    }
    return {
        "mosaic": mosaics,
        **ours,
        "this model, boxes not smoothed": list(replace(model, frames, where, raw, Look())),
        "this model, a new z in every frame": fresh,
    }


def mosaic(frame: Picture, boxes: list[Box]) -> Picture:
    """Eight blocks to a box, as `deface` does it."""
    picture = np.array(frame)
    for box in boxes:
        step = max(1, round(box.side / 8))
        small = cv2.resize(picture, (-(-WIDTH // step), -(-HEIGHT // step)), interpolation=cv2.INTER_AREA)
        large = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
        region = disc(box, (HEIGHT, WIDTH))
        picture[region] = large[region]
    return Image.fromarray(picture)


def change(frames: list[Picture], squares: list[tuple[int, int, int]]) -> np.ndarray:
    """Mean change of a face from frame to frame along its known path, in levels: [T - 1]."""
    y, x = (np.mgrid[:FACE, :FACE] + 0.5) / FACE * 64
    inside = (y - CENTRE[0]) ** 2 + (x - CENTRE[1]) ** 2 <= RADIUS**2
    faces = [
        cv2.resize(
            np.asarray(frame)[top : top + side, left : left + side].astype(np.float32),
            (FACE, FACE), interpolation=cv2.INTER_LINEAR,
        )[inside]
        for frame, (top, left, side) in zip(frames, squares, strict=True)
    ]  # fmt: skip
    return np.array([np.abs(b - a).mean() for a, b in pairwise(faces)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--films", type=int, default=40)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--filled", type=int, default=6)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    model, where = Model.load(asked.model), LBP()
    faces = load_split(asked.workspace / "data/prepared", "test")[FIRST:]
    values: dict[tuple[str, str], list[float]] = {}
    made = films(faces, asked.photos, asked.films, asked.frames)
    for number, film in enumerate(made):
        boxes = [where.boxes(at, frame) for at, frame in enumerate(film.frames)]
        tracks = follow(boxes)
        for measure, numbers in found_in(film, boxes, tracks).items():
            values.setdefault((measure, "LBP cascade"), []).extend(map(float, numbers))
        print(number, len(tracks), "tracks", flush=True)
        if number >= asked.filled:
            continue
        own = change(film.frames, film.squares).mean()
        for method, frames in anonymised(model, film, tracks).items():
            ratio = change(frames, film.squares).mean() / own
            values.setdefault(("flicker, of the original's own", method), []).append(float(ratio))
    rows: list[dict[str, Any]] = [
        {
            "measure": measure, "method": method, "value": np.mean(numbers),
            "error": np.std(numbers, ddof=1) / np.sqrt(len(numbers)), "n": len(numbers),
        }
        for (measure, method), numbers in values.items()
    ]  # fmt: skip
    record(rows)
    print(json.dumps({"rows": rows, "provenance": provenance(torch.device("cpu"))}))


if __name__ == "__main__":
    exit_on_user_error(main)
