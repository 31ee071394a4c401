"""Which picture is completed under which mask and written where: files, and folders paired by name.

What is heavy is imported by the function that needs it: a wrong path is complained of at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from roigan.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from roigan.image_io.reader import Picture


class Job(NamedTuple):
    """A picture to be completed under a mask, once for every seed."""

    image: Path
    mask: Path
    outs: dict[int, Path]
    """By seed."""


def pairs(image: Path, mask: Path, out: Path, seeds: Sequence[int] = (0,)) -> list[Job]:
    """A job for every picture; folders are paired by file name without its ending.

    One mask may serve a whole folder; several seeds write NAME-SEED.png each. Raises UserError where
    something is missing or would be overwritten.
    """
    for path in (image, mask):
        if not path.exists():
            raise UserError(f"{path} does not exist")
    if not image.is_dir():
        if mask.is_dir():
            raise UserError(f"--mask {mask} is a folder, but --image {image} is a file")
        if out.is_dir():
            raise UserError(f"--out {out} is a folder, but --image {image} is a file; name a .png or .tif")
        _check_ending(out)
        jobs = [Job(image, mask, _by_seed(out, seeds))]
    else:
        if out.is_file() or out.suffix.lower() in (".png", ".tif", ".tiff"):
            raise UserError(f"--image {image} is a folder, so --out must be one too, not {out}")
        pictures = _by_stem(image)
        masks = _by_stem(mask) if mask.is_dir() else dict.fromkeys(pictures, mask)
        alone = [path.name for stem, path in pictures.items() if stem not in masks]
        if alone:
            raise UserError(
                f"{len(alone)} of {len(pictures)} images have no mask in {mask}: {alone[0]}, for one"
            )
        jobs = [
            Job(path, masks[stem], _by_seed(out / f"{stem}.png", seeds)) for stem, path in pictures.items()
        ]
    _refuse_overwriting(jobs)
    return jobs


def _by_seed(out: Path, seeds: Sequence[int]) -> dict[int, Path]:
    return {seed: out.with_stem(f"{out.stem}-{seed}") if len(seeds) > 1 else out for seed in seeds}


def _refuse_overwriting(jobs: list[Job]) -> None:
    """No output may be the picture or mask of any job, nor another's output (by a link)."""
    taken = {path.resolve() for job in jobs for path in (job.image, job.mask)}
    for out in (out for job in jobs for out in job.outs.values()):
        if out.resolve() in taken:
            raise UserError(f"--out would overwrite {out}; choose another name or folder")
        taken.add(out.resolve())


def _by_stem(folder: Path) -> dict[str, Path]:
    """The folder's pictures, hidden ones left out, by name without ending; how many other files there are is
    said on standard error."""
    from roigan.image_io.decode import is_picture

    everything = [
        path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")
    ]
    files = [path for path in everything if is_picture(path.name)]
    if not files:
        raise UserError(f"{folder} holds no pictures")
    if others := len(everything) - len(files):
        print(f"note: {folder}: files that are no pictures are passed over ({others})", file=sys.stderr)
    found: dict[str, Path] = {}
    for path in files:
        if path.stem in found:
            raise UserError(f"{found[path.stem]} and {path.name} differ in their ending only; rename one")
        found[path.stem] = path
    return found


def _check_ending(out: Path) -> None:
    if out.suffix.lower() not in (".png", ".tif", ".tiff"):
        raise UserError(f"--out {out}: only .png and .tif keep the rest of the image bit for bit")


def read_pair(job: Job) -> tuple[Picture, np.ndarray]:
    """A picture, in a mode that the output's format can hold, and its mask; complaints name the file."""
    from roigan.image_io.lossless import fit_format, read_mask, read_picture
    from roigan.inference.inpaint import check_mask

    out = next(iter(job.outs.values()))  # all have one format
    picture, region = fit_format(read_picture(job.image), out), read_mask(job.mask)
    try:
        check_mask(picture, region)
    except UserError as error:
        raise UserError(f"{job.image} under {job.mask}: {error}") from None
    return picture, region


def read_batches(
    jobs: Sequence[Job], count: int, pixels: int
) -> Iterator[list[tuple[Job, Picture, np.ndarray]]]:
    """Jobs with their pictures and masks, `count` at a time, or fewer where they reach so many pixels."""
    batch: list[tuple[Job, Picture, np.ndarray]] = []
    for job in jobs:
        batch.append((job, *read_pair(job)))
        if len(batch) == count or sum(mask.size for _, _, mask in batch) >= pixels:
            yield batch
            batch = []
    if batch:
        yield batch
