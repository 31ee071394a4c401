"""Where a model comes from: code, data, masks and experiment, as tags for runs and registered versions."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

from roigan.config import Params, read_yaml
from roigan.files import paths


def lineage(params: Params) -> dict[str, str]:
    """Tags that name everything a model was made from; what cannot be known (no git, no DVC) is left out.

    `params`, `data` and `masks` are hashes of contents and hold in any clone; `dvc.data/...` are the hashes
    under which DVC keeps the same files.
    """
    tags = {
        "params": params.fingerprint(),
        "data": _data_hash(),
        "masks": hash_files(sorted([*paths.TRAINING_MASKS.glob("*.npz"), *paths.MASKS.glob("*.npz")])),
        "git.commit": _git_commit(),
        "dvc.experiment": os.environ.get("DVC_EXP_NAME", ""),
        **_dvc_hashes(),
    }
    return {name: value for name, value in tags.items() if value}


def _data_hash() -> str:
    """The hash of all prepared pixels (read here, since `roigan.data` would bring torch along)."""
    statistics = paths.PREPARED / "statistics.json"
    return str(json.loads(statistics.read_text())["data"]) if statistics.is_file() else ""


def hash_files(files: list[Path]) -> str:
    """Hash of the files' names and bytes, in the order given: 16 hexadecimal digits, "" for no files."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16] if files else ""


WRITTEN = ["dvc.lock", str(paths.REPORTS)]  # tracked files that the pipeline itself writes


def _git_commit() -> str:
    """The commit of the workspace, with "-dirty" after it where other tracked files differ from it."""
    others = [".", *(f":(exclude){path}" for path in WRITTEN)]
    try:
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *others)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit + ("-dirty" if changed else "")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def _dvc_hashes() -> dict[str, str]:
    """The md5 of the outputs of `prepare` and `masks` in dvc.lock, written before later stages run."""
    lock = Path("dvc.lock")
    if not lock.is_file():
        return {}
    stages = (read_yaml(lock.read_text()) or {}).get("stages", {})
    outs = [out for stage in stages.values() for out in stage.get("outs", [])]
    wanted = (str(paths.PREPARED), str(paths.MASKS), str(paths.TRAINING_MASKS))
    return {f"dvc.{out['path']}": out["md5"] for out in outs if out["path"].startswith(wanted)}
