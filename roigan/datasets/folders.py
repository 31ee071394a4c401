"""The picture files in a folder or a zip archive: listing them safely, reading their bytes."""

from __future__ import annotations

import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

from roigan.errors import UserError, brief
from roigan.image_io.contents import Unusable, read_contents
from roigan.image_io.decode import SUFFIXES, is_picture

MAX_BYTES = 2**28  # a single picture file of 256 MiB is no training image

Place = TypeVar("Place")


class Files(NamedTuple):
    """Pictures by their path inside a folder or archive, sorted, with `/` between the parts."""

    names: list[str]
    read: Callable[[str], bytes]
    """Bytes of a named file; raises Unusable."""


def open_files(path: Path) -> Files:
    """List the pictures in a folder or zip; other files and hidden ones are passed over.

    A sub-folder that may not be read is listed as `NAME/*`, and reading it is Unusable. Names are text: bytes
    that are no UTF-8 are written as `\\xe9`, backslashes in a zip are slashes. Raises UserError where `path`
    is missing, neither folder nor zip, holds no picture, or is an archive that is corrupt, encrypted or has
    an entry that would climb out of its folder.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; set data.path to a folder or zip of images")
    files = _in_folder(path) if path.is_dir() else _in_zip(path)
    if not files.names:
        raise UserError(f"{path} holds no images (looked for {', '.join(SUFFIXES)})")
    return files


def _in_folder(root: Path) -> Files:
    paths, closed, seen = [], {}, set()

    def note(error: OSError) -> None:
        """Called by os.walk for a folder that it cannot list."""
        if Path(error.filename) == root:
            raise UserError(f"{root} cannot be read ({error.strerror}); set data.path to a folder that can")
        closed[Path(error.filename) / "*"] = f"unreadable: {error.strerror}"

    for folder, subfolders, files in os.walk(root, onerror=note, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link back to a folder above would be walked for ever
            subfolders.clear()
            continue
        seen.add(real)
        subfolders.sort()
        paths += [Path(folder) / name for name in files]
    pictures = [path for path in paths if is_picture(path.relative_to(root).as_posix())]
    hidden = {path for path in closed if any(part.startswith(".") for part in path.relative_to(root).parts)}
    listed = sorted([*pictures, *(closed.keys() - hidden)])
    places = _named((path.relative_to(root).as_posix(), path) for path in listed)

    def read(name: str) -> bytes:
        path = places[name]
        if path in closed:
            raise Unusable(closed[path])
        try:
            return read_contents(path, MAX_BYTES)
        except FileNotFoundError as error:  # a link to nowhere
            raise Unusable(f"unreadable: {error.strerror}") from None

    return Files(sorted(places), read)


def _in_zip(path: Path) -> Files:
    if not path.is_file():  # a pipe would be waited for
        raise UserError(f"{path} is neither a folder nor a file; set data.path to a folder or zip of images")
    try:
        archive = zipfile.ZipFile(path)  # stays open: `read` uses it for as long as the caller holds it
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError(f"{path} is neither a folder nor a readable zip archive ({error})") from None
    for entry in archive.infolist():
        _refuse_if_unsafe(entry, path)
    entries = {entry.filename: entry for entry in archive.infolist()}  # of two with one name, the last
    slashed = ((_slashed(name), entry) for name, entry in sorted(entries.items()))
    places = _named((name, entry) for name, entry in slashed if is_picture(name))

    def read(name: str) -> bytes:
        try:
            if places[name].file_size > MAX_BYTES:
                raise Unusable(f"absurdly large: an entry of more than {MAX_BYTES >> 20} MiB")
            return archive.read(places[name])
        except (
            zipfile.BadZipFile,
            zlib.error,
            lzma.LZMAError,
            OSError,
            EOFError,
            ValueError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise Unusable(f"unreadable: {brief(error)}") from None

    return Files(sorted(places), read)


def _named(found: Iterable[tuple[str, Place]]) -> dict[str, Place]:
    """By names that are text and different from each other, which raw ones need not be."""
    places: dict[str, Place] = {}
    for raw, place in found:
        name = os.fsencode(raw).decode(errors="backslashreplace")
        while name in places:
            name += "'"
        places[name] = place
    return places


def _slashed(name: str) -> str:
    """Programs on Windows have written backslashes between folders."""
    return name.replace("\\", "/")


def _refuse_if_unsafe(entry: zipfile.ZipInfo, path: Path) -> None:
    name = _slashed(entry.orig_filename)
    climbs = name.startswith("/") or ".." in name.split("/") or name[1:2] == ":"
    if climbs or stat.S_ISLNK(entry.external_attr >> 16):
        raise UserError(f"{path} is refused: its entry {name!r} climbs out of the archive's folder")
    if entry.flag_bits & 1:
        raise UserError(f"{path} is encrypted; unpack it and set data.path to the folder")
