"""Where a run's checkpoints are kept: in the project's `.roigan/runs`, or where ROIGAN_CHECKPOINTS says."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pyarrow import fs

from roigan.errors import UserError, brief
from roigan.files import paths
from roigan.training import checkpoint


@dataclass(frozen=True)
class Storage:
    """The folder of one run, on a disk or in a bucket."""

    files: fs.FileSystem
    path: str

    def checkpoints(self) -> list[str]:
        """The checkpoint folders that lie here, whole or not, the one of the latest step first."""
        everything = fs.FileSelector(self.path, recursive=True, allow_not_found=True)
        found = [
            PurePosixPath(info.path) for info in self.files.get_file_info(everything) if not info.is_file
        ]
        return [
            str(p) for p in sorted(found, key=lambda p: p.name, reverse=True) if p.name.startswith(PREFIX)
        ]

    def fetch(self, path: str, scratch: Path) -> Path:
        """A checkpoint folder as a local one: itself, or a copy in scratch."""
        if isinstance(self.files, fs.LocalFileSystem):
            return Path(path)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        fs.copy_files(path, str(scratch), source_filesystem=self.files)
        return scratch

    def newest(self, scratch: Path, say: Callable[[str], None]) -> Path | None:
        """The last checkpoint that is whole, as a local folder; says which ones are not."""
        for path in self.checkpoints():
            folder = self.fetch(path, scratch)
            try:
                checkpoint.check(folder)
            except checkpoint.Damaged as error:
                say(f"{PurePosixPath(path).name} is damaged ({error}); looking for the one before")
            else:
                return folder
        return None

    def keep(self, folder: Path, step: int) -> None:
        """Copy a checkpoint folder here; of all that lie here, the last two stay."""
        target = f"{self.path}/{label(step)}"
        self.files.create_dir(target)
        try:
            fs.copy_files(str(folder), target, destination_filesystem=self.files, use_threads=False)
        except OSError:
            self.drop(target)
            raise
        for old in self.checkpoints()[2:]:
            self.files.delete_dir(old)

    def keep_state(self, file: Path) -> None:
        """Copy the file of a past state here; one of the same step takes its place."""
        self.files.create_dir(f"{self.path}/{STATES}")
        fs.copy_files(str(file), f"{self.path}/{STATES}/{file.name}", destination_filesystem=self.files)

    def fetch_states(self, target: Path) -> None:
        """Copy all past states to a folder, if there are any."""
        source = f"{self.path}/{STATES}"
        if self.files.get_file_info(source).type != fs.FileType.NotFound:
            target.mkdir(parents=True, exist_ok=True)
            fs.copy_files(source, str(target), source_filesystem=self.files)

    def drop(self, path: str) -> None:
        """Delete what has arrived of a checkpoint: on a full disk it is in the way."""
        with suppress(OSError):
            self.files.delete_dir(path)

    def clear(self) -> None:
        """Delete the run's folder."""
        if self.files.get_file_info(self.path).type != fs.FileType.NotFound:
            self.files.delete_dir(self.path)


PREFIX, STATES = "checkpoint-", "states"


def label(step: int) -> str:
    """The name of a checkpoint's folder: names sort as steps do."""
    return f"{PREFIX}{step:08d}"


def storage_of(name: str) -> Storage:
    """The storage of a run. Raises UserError where ROIGAN_CHECKPOINTS names no place that can be reached."""
    place = os.environ.get("ROIGAN_CHECKPOINTS") or str(paths.state() / "runs")
    try:
        files, path = fs.FileSystem.from_uri(place)
        storage = Storage(files, f"{path}/{name}")
        storage.checkpoints()
    except (OSError, ValueError) as error:
        shown = place.split("?")[0].rpartition("@")[2]  # a key may stand before the @ and behind the ?
        reason = brief(error).replace(place, shown)
        raise UserError(f"ROIGAN_CHECKPOINTS: {shown} cannot be used ({reason})") from None
    return storage


def fresh() -> bool:
    """Whether ROIGAN_FRESH asks for what was interrupted to be discarded instead of continued."""
    return os.environ.get("ROIGAN_FRESH", "0") not in ("", "0")


def _newest(storage: Storage, scratch: Path, say: Callable[[str], None]) -> tuple[Path | None, int]:
    """The last whole checkpoint, as a local folder, and its step; None and 0 where there is none."""
    folder = storage.newest(scratch / "fetched", say)
    return folder, json.loads((folder / checkpoint.STATE).read_text())["step"] if folder else 0


def interrupted(name: str) -> bool:
    """Whether there is a run of this name that `launch` would continue, or hand over again."""
    return not fresh() and storage_of(name).newest(_scratch(name) / "fetched", _quiet) is not None


def forget(name: str) -> None:
    """Delete the checkpoints of a run, once its results are stored elsewhere."""
    storage_of(name).clear()
    shutil.rmtree(_scratch(name), ignore_errors=True)


def _scratch(name: str) -> Path:
    """A folder for what is on its way to the storage or from there; not in it, for it may be the storage."""
    return paths.state() / "unfinished" / name


def _quiet(line: str) -> None:
    """For a first look: what is wrong is said when the run goes on."""
