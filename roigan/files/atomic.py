"""Files and folders that users name: written atomically, refused in one line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from roigan.errors import UserError, brief


def make_parent(path: Path) -> None:
    """Make the folders on the way to `path`; a UserError where the system refuses."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} cannot be written ({brief(error)}); name another place")


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A place to write a file or a folder to, which takes the place of `path` once all of it is there.

    Folders on the way to it are made. What the system refuses, there or inside, becomes a UserError; whatever
    goes wrong, a file that was at `path` before stays as it was.
    """
    make_parent(path)
    target = path.resolve()  # a link stays one
    unfinished = target.with_name(f".{target.stem}.unfinished{target.suffix}")
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
