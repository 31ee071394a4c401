"""`roigan anonymise`: new faces for the people in a film."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roigan.cli.arguments import MODEL, command, read_numbers, read_seed, read_span, read_weight
from roigan.cli.load import load_model
from roigan.errors import UserError

if TYPE_CHECKING:
    from roigan.apps.anonymiser.anonymise import Found
    from roigan.apps.anonymiser.tracks import Track


def add(commands: Any) -> None:
    """The command's grammar."""
    add = command(commands, "anonymise", run, "give the people in a film other faces").add_argument
    add("--model", required=True, help=MODEL)
    add("--in", required=True, type=Path, dest="source", metavar="FILM", help="a folder of frames or a video")
    add(
        "--out",
        required=True,
        type=Path,
        metavar="FILM",
        help="a folder of PNG files; or .mkv, which is exact; or .mp4, which is not",
    )
    add("--mask", type=Path, help="white (>= 128): generate; a folder: one for every frame")
    add("--detector", default="lbp", metavar="FILE", help="an LBP cascade in OpenCV's XML (default lbp)")
    add(
        "--keep",
        type=read_numbers(int),
        default=[],
        metavar="N,...",
        help="faces, as listed, to be left alone",
    )
    add("--span", type=read_span, metavar="A-B", help="only these frames are read and written, from 1")
    add(
        "--lost",
        choices=("cover", "stop"),
        default="cover",
        help="a face that is not found for some frames: cover where it must be (default), or refuse",
    )
    add("--seed", type=read_seed, default=0, metavar="N", help="of the new faces (default 0)")
    add("--c", type=read_numbers(float), metavar="C,...", help="sliders in [-1, 1] (default: drawn)")
    add(
        "--expression",
        type=read_weight,
        default=0.0,
        metavar="E",
        help="how much of a face's own expression is kept, which tells something of it (default 0: nothing)",
    )
    add("--k", type=read_numbers(int), metavar="K,...", help="codes (default: drawn)")


def run(arguments: argparse.Namespace) -> None:
    """Look for faces in all frames, say where they are, and write the film with others."""
    from tqdm import tqdm

    from roigan.apps.anonymiser.anonymise import Look, check_model, find, replace
    from roigan.apps.anonymiser.detect import LBP, Masks
    from roigan.apps.anonymiser.films import open_film, writing_film

    film = open_film(arguments.source, arguments.span)
    where = (
        Masks(arguments.mask, film.names, film.first)
        if arguments.mask
        else LBP(None if arguments.detector == "lbp" else Path(arguments.detector))
    )
    model = load_model(arguments.model)
    look = Look(arguments.seed, arguments.c, arguments.k, arguments.expression)
    check_model(model, look)

    def shown(what: str) -> Any:
        return tqdm(film.read(), what, film.length or None, unit="frame")

    with writing_film(arguments.out, film) as put:  # complained of before anything is looked for
        found = find(shown("looking"), where)
        if found.frames < film.length - 1:  # one less is common: the last has no length of its own
            said = f"its header says {film.length} frames, {found.frames} can be read"
            print(f"note: {film.path}: {said}", file=sys.stderr)
        tracks = replaced(found, arguments.keep)
        print("\n".join(listed(found, film.first, tracks)))
        if arguments.lost == "stop" and (lost := [str(n + 1) for n in found.lost() if tracks[n]]):
            faces = ", ".join(lost)
            raise UserError(f"face {faces} is not found in all frames, see above; --mask, or --lost cover")
        for picture in replace(model, shown("replacing"), where, tracks, look):
            put(picture)


def replaced(found: Found, kept: list[int]) -> list[Track | None]:
    """The tracks, None for those that are kept; UserError for a number that none has."""
    for number in kept:
        if not 1 <= number <= len(found.tracks):
            raise UserError(f"--keep {number}: faces have the numbers 1 to {len(found.tracks)}")
    return [None if number in kept else track for number, track in enumerate(found.tracks, 1)]


def listed(found: Found, first: int, tracks: list[Track | None]) -> list[str]:
    """A line for every face: its number, frames (the film's first has the number `first`) and place."""
    lost, lines = found.lost(), []
    for number, track in enumerate(found.tracks):
        begin = first + track.first
        y, x, side, _ = track.raw[track.found.index(True)]
        line = f"face {number + 1}: frames {begin}-{begin + len(track.raw) - 1}, "
        line += f"first found at {x:.0f},{y:.0f}, {side:.0f} pixels wide"
        if number in lost:
            line += f"; not found in {runs([first + frame for frame in lost[number]])}, covered there"
        lines.append(line + ("" if tracks[number] else "; kept as it is"))
    return lines


def runs(frames: list[int]) -> str:
    """Of [3, 4, 5, 9]: "3-5, 9"."""
    every = set(frames)
    starts = [frame for frame in frames if frame - 1 not in every]
    ends = [frame for frame in frames if frame + 1 not in every]
    return ", ".join(f"{a}-{b}" if b > a else f"{a}" for a, b in zip(starts, ends, strict=True))
