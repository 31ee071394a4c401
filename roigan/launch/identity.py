"""Names that hold for equal work only: whatever changes the result changes the name, so that a run or search
that was interrupted is continued by its like and by nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from roigan.config import Params
from roigan.files import paths
from roigan.files.tensors import sha256_of
from roigan.images.arrays import load_statistics

# The rooms that decide what a training computes
CODE = (
    "config", "corruptions", "errors.py", "features", "files", "game.py", "images", "losses", "nets",
    "systems", "training",
)  # fmt: skip
# and those that decide what a trial of a search scores besides
SEARCH = ("evaluation", "tuning")
UNCOUNTED: dict[str, Any] = {"max_failures": 0, "min_workers": None}  # a run goes on where they are changed
TRAINED = ("model", "losses", "penalty", "train", "masks")


def run_name(params: Params, root: Path) -> str:
    """The identity of a training run: its system and a hash of parameters, data, feature network and code."""
    train = params.train.model_copy(update=UNCOUNTED)
    trained = params.model_copy(update={"train": train}).fingerprint(*TRAINED)
    return f"{params.model.system}-{_hash(trained, root, CODE)}"


def search_name(params: Params, root: Path) -> str:
    """The identity of a search."""
    return f"search-{_hash(params.fingerprint(*TRAINED, 'evaluate', 'tune'), root, CODE + SEARCH)}"


def _hash(params: str, root: Path, rooms: Iterable[str]) -> str:
    """16 hexadecimal digits."""
    digest = hashlib.sha256(params.encode())
    digest.update(load_statistics(root / paths.PREPARED)["data"].encode())
    digest.update(sha256_of(root / paths.FEATURES / "network.safetensors").encode())
    package = Path(__file__).parent.parent
    for room in rooms:
        for file in sorted([package / room] if room.endswith(".py") else (package / room).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
