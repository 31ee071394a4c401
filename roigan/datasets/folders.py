"""The picture files in a folder or a zip archive: listing them safely, reading their bytes."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from roigan.errors import UserError, brief
from roigan.image_io.contents import Unusable
from roigan.image_io.decode import SUFFIXES, is_picture

MAX_BYTES = 2**28  # a single picture file of 256 MiB is no training image


class Files(NamedTuple):
    """Pictures by their path inside a folder or archive, sorted, with `/` between the parts."""

    names: list[str]
    read: Callable[[str], bytes]
    """Bytes of a named file; raises Unusable."""


def open_files(path: Path) -> Files:
    """List the pictures in a folder or zip; other files and hidden ones are passed over.

    Raises UserError where `path` is missing, neither folder nor zip, holds no picture, or is an archive
    that is corrupt, encrypted or has an entry that would climb out of its folder.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; set data.path to a folder or zip of images")
    files = _in_folder(path) if path.is_dir() else _in_zip(path)
    if not files.names:
        raise UserError(f"{path} holds no images (looked for {', '.join(SUFFIXES)})")
    return files


def _in_folder(root: Path) -> Files:
    names, seen = [], set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link back to a folder above would be walked for ever
            subfolders.clear()
            continue
        seen.add(real)
        subfolders.sort()
        names += [(Path(folder) / name).relative_to(root).as_posix() for name in files]

    def read(name: str) -> bytes:
        try:
            if (root / name).stat().st_size > MAX_BYTES:
                raise Unusable(f"absurdly large: a file of more than {MAX_BYTES >> 20} MiB")
            return (root / name).read_bytes()
        except OSError as error:
            raise Unusable(f"unreadable: {error.strerror}") from None

    return Files(sorted(filter(is_picture, names)), read)


def _in_zip(path: Path) -> Files:
    try:
        archive = zipfile.ZipFile(path)  # stays open: `read` uses it for as long as the caller holds it
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError(f"{path} is neither a folder nor a readable zip archive ({error})") from None
    for entry in archive.infolist():
        _refuse_if_unsafe(entry, path)

    def read(name: str) -> bytes:
        try:
            if archive.getinfo(name).file_size > MAX_BYTES:
                raise Unusable(f"absurdly large: an entry of more than {MAX_BYTES >> 20} MiB")
            return archive.read(name)
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            EOFError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise Unusable(f"unreadable: {brief(error)}") from None

    return Files(sorted({entry.filename for entry in archive.infolist() if is_picture(entry.filename)}), read)


def _refuse_if_unsafe(entry: zipfile.ZipInfo, path: Path) -> None:
    name = entry.orig_filename.replace("\\", "/")
    climbs = name.startswith("/") or ".." in name.split("/") or name[1:2] == ":"
    if climbs or stat.S_ISLNK(entry.external_attr >> 16):
        raise UserError(f"{path} is refused: its entry {name!r} climbs out of the archive's folder")
    if entry.flag_bits & 1:
        raise UserError(f"{path} is encrypted; unpack it and set data.path to the folder")
