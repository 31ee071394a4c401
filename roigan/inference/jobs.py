"""Which picture is completed under which mask and written where: files, and folders paired by name.

What is heavy is imported by the function that needs it: a wrong path is complained of at once.
"""

from __future__ import annotations

import hashlib
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from roigan.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from roigan.image_io.reader import Picture

BEGINNING = 2**22  # bytes of a file, in which a PNG says what wrote it: behind its colour profile


SEEDS = 2**63  # torch takes seeds below this


def seed_of(text: str) -> int:
    """A seed that belongs to a text, below SEEDS."""
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8]) >> 1


class Job(NamedTuple):
    """A picture to be completed under a mask, once for every seed."""

    image: Path
    mask: Path | None
    """None: all of the picture."""
    outs: dict[int, Path]
    """By seed."""
    name: str = ""
    """In its folder; empty where it is the only picture."""

    def own_seed(self, seed: int) -> int:
        """The seed of its latent vector: `seed` of a single picture; in a folder, from `seed` and its name.

        With one z for all, a set of completions is less diverse than the model.
        """
        if not self.name:
            return seed
        return seed_of(f"{seed} {self.name}")


class Failures:
    """What went wrong with which picture, so that the others can go on."""

    def __init__(self, total: int, done: str = "completed") -> None:
        """done: what would have been done with them."""
        self.total, self.done = total, done
        self.reasons: dict[Path, UserError] = {}
        """By picture."""

    @contextmanager
    def of(self, image: Path) -> Iterator[None]:
        """Note the UserError that the block raises."""
        try:
            yield
        except UserError as error:
            self.reasons.setdefault(image, error)

    def complain(self) -> None:
        """Print a line for every picture that failed on standard error and raise UserError; of a single
        picture, its own."""
        if not self.reasons:
            return
        if self.total == 1:
            raise next(iter(self.reasons.values()))
        for line in dict.fromkeys(map(str, self.reasons.values())):  # a mask for all is named once
            print(f"failed: {line}", file=sys.stderr)
        raise UserError(
            f"{len(self.reasons)} of {self.total} pictures were not {self.done}, the others were; "
            "mend them and run the same command again"
        )


def pictures_in(place: Path) -> list[Path]:
    """The pictures of a folder in the order of their names, or the one picture that a path names."""
    from roigan.image_io.decode import is_picture

    if not place.exists():
        raise UserError(f"{place} does not exist")
    files = sorted(path for path in place.iterdir() if is_picture(path.name)) if place.is_dir() else [place]
    if not files:
        raise UserError(f"{place} holds no pictures")
    return files


def pairs(image: Path, mask: Path | None, out: Path, seeds: Sequence[int] = (0,)) -> list[Job]:
    """A job for every picture; folders are paired by file name without its ending, however its accents are
    encoded.

    One mask may serve a whole folder; without any, all of every picture is meant; several seeds write
    NAME-SEED.png each. Where `out` is the folder of pictures or masks, what was completed into it earlier is
    no picture to be completed, and is written anew. Raises UserError where something is missing or would be
    overwritten.
    """
    for path in (image, mask):
        if path and not path.exists():
            raise UserError(f"{path} does not exist")
    if not image.is_dir():
        if mask and mask.is_dir():
            raise UserError(f"--mask {mask} is a folder, but --image {image} is a file")
        if out.is_dir():
            raise UserError(f"--out {out} is a folder, but --image {image} is a file; name a .png or .tif")
        _check_ending(out)
        jobs = [Job(image, mask, _by_seed(out, seeds))]
    else:
        if out.is_file() or out.suffix.lower() in (".png", ".tif", ".tiff"):
            raise UserError(f"--image {image} is a folder, so --out must be one too, not {out}")
        pictures = _by_stem(image, out)
        found: dict[str, Path | None] = dict.fromkeys(pictures, mask)
        if mask and mask.is_dir():
            masks = _by_stem(mask, out)
            composed = {_composed(stem): path for stem, path in masks.items()}
            found = {stem: masks.get(stem) or composed.get(_composed(stem)) for stem in pictures}
        alone = [path.name for stem, path in pictures.items() if mask and found[stem] is None]
        if alone:
            raise UserError(
                f"{len(alone)} of {len(pictures)} images have no mask in {mask}: {alone[0]}, for one"
            )
        jobs = [
            Job(pictures[stem], partner, _by_seed(out / f"{stem}.png", seeds), _composed(stem))
            for stem, partner in found.items()
        ]
    _refuse_overwriting(jobs)
    return jobs


def _composed(stem: str) -> str:
    """One way of writing letters with accents: macOS and Windows choose different ones."""
    return unicodedata.normalize("NFC", stem)


def _by_seed(out: Path, seeds: Sequence[int]) -> dict[int, Path]:
    return {seed: out.with_stem(f"{out.stem}-{seed}") if len(seeds) > 1 else out for seed in seeds}


def _refuse_overwriting(jobs: list[Job]) -> None:
    """No output may be the picture or mask of any job, nor another's output (by a link)."""
    taken = {path.resolve() for job in jobs for path in (job.image, job.mask) if path}
    for out in (out for job in jobs for out in job.outs.values()):
        if out.resolve() in taken:
            raise UserError(f"--out would overwrite {out}; choose another name or folder")
        taken.add(out.resolve())


def _by_stem(folder: Path, out: Path) -> dict[str, Path]:
    """The folder's pictures, hidden ones and those completed earlier left out, by name without ending; how
    many other files there are is said on standard error."""
    from roigan.image_io.decode import is_picture

    everything = [
        path for path in sorted(folder.iterdir()) if not path.is_dir() and not path.name.startswith(".")
    ]
    files = [path for path in everything if is_picture(path.name) and path.is_file()]
    if others := len(everything) - len(files):
        print(f"note: {folder}: files that are no pictures are passed over ({others})", file=sys.stderr)
    if out.resolve() == folder.resolve():
        files = _without_results(files)
    if not files:
        raise UserError(f"{folder} holds no pictures")
    found: dict[str, Path] = {}
    for path in files:
        if path.stem in found:
            raise UserError(f"{found[path.stem]} and {path.name} differ in their ending only; rename one")
        found[path.stem] = path
    return found


def _without_results(files: list[Path]) -> list[Path]:
    """Leaves out what an earlier call has made of another of the files, NAME.png or NAME-SEED.png."""
    from roigan.image_io.metadata import completed_earlier

    marked = set()
    for path in files:
        if path.suffix == ".png":
            with path.open("rb") as file:
                if completed_earlier(file.read(BEGINNING)):
                    marked.add(path)
    originals = {path.stem for path in files if path not in marked}
    return [
        path
        for path in files
        if path not in marked or not {path.stem, re.sub(r"-\d+$", "", path.stem)} & originals
    ]


def _check_ending(out: Path) -> None:
    if out.suffix.lower() not in (".png", ".tif", ".tiff"):
        raise UserError(f"--out {out}: only .png and .tif keep the rest of the image bit for bit")


def read_pair(
    job: Job, mask: np.ndarray | None, ready: Callable[[Picture], Picture]
) -> tuple[Picture, np.ndarray]:
    """A picture, in a mode that the output's format can hold, and its mask (bool [H, W]), or one of all of
    it; complaints name the file."""
    from roigan.image_io.lossless import fit_format, read_picture
    from roigan.inference.windows import check_mask, whole

    out = next(iter(job.outs.values()))  # all have one format
    try:
        picture = fit_format(ready(read_picture(job.image)), out)
    except UserError as error:
        raise _named(error, job.image) from None
    if mask is None:
        return picture, whole(picture)
    try:
        check_mask(picture, mask)
    except UserError as error:
        raise UserError(f"{job.image} under {job.mask}: {error}") from None
    return picture, mask


def _named(error: UserError, path: Path) -> UserError:
    return error if str(path) in str(error) else UserError(f"{path}: {error}")


def read_batches(
    jobs: Sequence[Job],
    count: int,
    pixels: int,
    failed: Failures,
    ready: Callable[[Picture], Picture] = lambda picture: picture,
) -> Iterator[list[tuple[Job, Picture, np.ndarray]]]:
    """Jobs with their pictures and masks, `count` at a time, or fewer where they reach so many pixels.

    ready: makes of a picture what is completed. What cannot be read, or what it raises UserError for, is left
    out and entered into `failed`.
    """
    from roigan.image_io.lossless import read_mask

    batch: list[tuple[Job, Picture, np.ndarray]] = []

    @lru_cache(maxsize=1)
    def mask_of(path: Path) -> np.ndarray | UserError:
        """One mask for all is read once: a pipe has it only once."""
        try:
            return read_mask(path)
        except UserError as error:
            return error

    for job in jobs:
        with failed.of(job.image):
            region = mask_of(job.mask) if job.mask else None
            if isinstance(region, UserError):
                raise region
            batch.append((job, *read_pair(job, region, ready)))
        if batch and (len(batch) == count or sum(mask.size for _, _, mask in batch) >= pixels):
            yield batch
            batch = []
    if batch:
        yield batch
