"""Files and folders that users name: written atomically, refused in one line."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from roigan.errors import UserError, brief

NAME_MAX = 255  # bytes of a file's name, on nearly every file system


def make_parent(path: Path) -> None:
    """Make the folders on the way to `path`; a UserError where the system refuses."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} cannot be written ({brief(error)}); name another place")


def _beside(target: Path) -> Path:
    """A hidden name in the same folder with the same ending; of one that is too long to be lengthened, a
    hash."""
    name = f".{target.stem}.unfinished{target.suffix}"
    try:
        longest = os.pathconf(target.parent, "PC_NAME_MAX")
    except (OSError, ValueError):  # asked of a folder that cannot be written to, either
        longest = NAME_MAX
    if len(os.fsencode(name)) > longest:
        digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
        ending = target.suffix if len(os.fsencode(target.suffix)) < 16 else ""
        name = f".{digest}.unfinished{ending}"
    return target.with_name(name)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A place to write a file or a folder to, which takes the place of `path` once all of it is there.

    Folders on the way to it are made. What the system refuses, there or inside, becomes a UserError; whatever
    goes wrong, a file that was at `path` before stays as it was.
    """
    make_parent(path)
    target = path.resolve()  # a link stays one
    unfinished = _beside(target)
    try:
        yield unfinished
        unfinished.replace(target)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        if unfinished.is_dir():
            shutil.rmtree(unfinished, ignore_errors=True)
        else:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
