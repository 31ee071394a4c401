"""CelebA as torchvision lays it out, unpacked by hand, or as the img_align_celeba zip; official split."""

from __future__ import annotations

import codecs
import re
import sys
from pathlib import Path, PurePosixPath

from roigan.config import DataParams
from roigan.datasets.folders import open_files
from roigan.datasets.items import SPLITS, Splits, file_item, path_of
from roigan.errors import UserError

CROP = 140
LIST = ("list_eval_partition.txt", "list_eval_partition.csv")
LINE = re.compile(r"""\s*["']?([^\s"',;]+)["']?\s*[\s,;]\s*["']?([012])["']?[\s,;]*""")
"""A file name and a number, with blanks, a comma or a semicolon between them, in quotes or not."""


def celeba(params: DataParams) -> Splits:
    """CelebA as torchvision lays it out, unpacked by hand, or as the img_align_celeba zip; official split."""
    path = path_of(params)
    if path.is_dir():  # torchvision's root holds celeba/; either may hold the archive instead of the pictures
        path = path / "celeba" if (path / "celeba").is_dir() else path
        archive = path / "img_align_celeba.zip"
        path = archive if archive.is_file() and not (path / "img_align_celeba").is_dir() else path
    files = open_files(path)
    file, partition = _read_partition(path)
    splits: Splits = {split: [] for split in SPLITS}
    strange = []
    for name in files.names:
        split = partition.get(PurePosixPath(name).stem)
        if split is None:
            strange.append(name)
        else:
            splits[split].append(file_item(files, name, params, params.crop or CROP))
    if len(strange) == len(files.names):
        raise UserError(f"{file} names none of the {len(strange)} images in {path}; one is {strange[0]}")
    if strange:
        print(f"note: {file} does not name {len(strange)} images: {strange[0]}, for one", file=sys.stderr)
    for split, items in splits.items():
        if not items:
            raise UserError(f"{file} puts none of the images in {path} into {split}; are they complete?")
    return splits


def _read_partition(path: Path) -> tuple[Path, dict[str, str]]:
    """(the list in the folder or beside the archive, file name without ending -> split): 0 train, 1 val, 2
    test. The pictures may have another ending than the list says: CelebA is offered as PNG, too."""
    folder = path if path.is_dir() else path.parent
    for file in (folder / name for name in LIST):
        if file.is_file():
            lines = _text(file.read_bytes()).splitlines()
            found = [LINE.fullmatch(line) for line in lines]
            for number, (line, match) in enumerate(zip(lines, found, strict=True), 1):
                header = number == 1 and not re.search(r"\.\w", line)  # names no file
                if line.strip() and not match and not header:
                    raise UserError(f"{file}, line {number}: not a file name and 0, 1 or 2: {line[:60]!r}")
            named = {PurePosixPath(m[1]).stem: SPLITS[int(m[2])] for m in found if m}
            if not named:
                raise UserError(f"{file} has no line with a file name and 0, 1 or 2")
            return file, named
    raise UserError(f"CelebA's official split, {LIST[0]}, is not in {folder}; put it there")


def _text(content: bytes) -> str:
    """Text as spreadsheets save it, too: in UTF-16, or in UTF-8 with a mark in front."""
    utf16 = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return content.decode("utf-16" if utf16 else "utf-8-sig", errors="replace")
