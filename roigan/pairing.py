"""Which picture is completed under which mask and written where: files, and folders paired by name.

What is heavy is imported by the function that needs it: a wrong path is complained of at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from roigan.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from roigan.pixels import Picture


def pairs(image: Path, mask: Path, out: Path) -> list[tuple[Path, Path, Path]]:
    """(picture, mask, output) for every picture; folders are paired by file name without its ending.

    One mask may serve a whole folder. Raises UserError where something is missing or would be overwritten.
    """
    for path in (image, mask):
        if not path.exists():
            raise UserError(f"{path} does not exist")
    if not image.is_dir():
        if mask.is_dir():
            raise UserError(f"--mask {mask} is a folder, but --image {image} is a file")
        if out.is_dir():
            raise UserError(f"--out {out} is a folder, but --image {image} is a file; name a .png or .tif")
        jobs = [(image, mask, out)]
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
        jobs = [(path, masks[stem], out / f"{stem}.png") for stem, path in pictures.items()]
    for picture, region, target in jobs:
        if target.resolve() in (picture.resolve(), region.resolve()):
            raise UserError(f"--out would overwrite {target}; choose another name or folder")
        _check_ending(target)
    return jobs


def _by_stem(folder: Path) -> dict[str, Path]:
    """The folder's files, hidden ones left out, by name without ending."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    if not files:
        raise UserError(f"{folder} holds no files")
    found: dict[str, Path] = {}
    for path in files:
        if path.stem in found:
            raise UserError(f"{found[path.stem]} and {path.name} differ in their ending only; rename one")
        found[path.stem] = path
    return found


def _check_ending(out: Path) -> None:
    if out.suffix.lower() not in (".png", ".tif", ".tiff"):
        raise UserError(f"--out {out}: only .png and .tif keep the rest of the image bit for bit")


def read_pair(image: Path, mask: Path, out: Path) -> tuple[Picture, np.ndarray]:
    """A picture, in a mode that the output's format can hold, and its mask; complaints name the file."""
    from roigan.edit import check_mask
    from roigan.pixels import fit_format, read_mask, read_picture

    picture, region = fit_format(read_picture(image), out), read_mask(mask)
    try:
        check_mask(picture, region)
    except UserError as error:
        raise UserError(f"{mask}: {error}") from None
    return picture, region
