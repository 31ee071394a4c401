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

# The rooms that decide what a training computes; of the systems, its own
CODE = (
    "config/blocks.py", "config/params.py", "config/reading.py", "config/systems/{system}.py", "corruptions",
    "errors.py", "features", "files", "game.py", "images", "losses", "nets", "systems/interface.py",
    "systems/model.py", "systems/penalty.py", "systems/states.py", "systems/{system}", "training",
)  # fmt: skip
# and those that decide what a trial of a search scores besides
SEARCH = ("evaluation", "image_io", "inference", "systems", "tuning")
UNCOUNTED: dict[str, Any] = {"max_failures": 0, "min_workers": None}  # a run goes on where they are changed
TRAINED = ("model", "losses", "penalty", "train", "masks")
UNTRAINED: dict[str, Any] = {"evaluate": ["half"]}  # families that a training never sees


def run_name(params: Params, root: Path) -> str:
    """The identity of a training run: its system and a hash of parameters, data, feature network and code."""
    train = params.train.model_copy(update=UNCOUNTED)
    masks = params.masks.model_copy(update=UNTRAINED)
    trained = params.model_copy(update={"train": train, "masks": masks}).fingerprint(*TRAINED)
    return f"{params.model.system}-{_hash(trained, root, params, CODE)}"


def search_name(params: Params, root: Path) -> str:
    """The identity of a search; of one that trains nothing, by the model that is there as well."""
    named = params.fingerprint(*TRAINED, "search", "evaluate", "tune")
    if params.tune.trains_nothing:
        named += sha256_of(root / paths.MODEL / "config.json")
    return f"search-{_hash(named, root, params, CODE + SEARCH)}"


def _hash(named: str, root: Path, params: Params, rooms: Iterable[str]) -> str:
    """16 hexadecimal digits."""
    digest = hashlib.sha256(named.encode())
    digest.update(load_statistics(root / paths.PREPARED)["data"].encode())
    digest.update(sha256_of(root / paths.FEATURES / "network.safetensors").encode())
    if params.prior:
        digest.update(sha256_of(root / paths.PRIOR / "config.json").encode())  # it has the weights' hashes
    package = Path(__file__).parent.parent
    for room in rooms:
        path = package / room.format(system=params.model.system)
        for file in sorted([path] if path.suffix else path.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
