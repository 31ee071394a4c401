"""Names that hold for equal work only: whatever changes the result changes the name, so that a run or search
that was interrupted is continued by its like and by nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from roigan import paths
from roigan.config import Params
from roigan.data import load_statistics
from roigan.weights import sha256_of

# The modules that decide what a training computes
CODE = (
    "allocator", "blending", "checkpoint", "colours", "config", "data", "draws", "errors", "features",
    "features_local", "features_pretrained", "game", "latent", "layers", "losses", "masks", "model",
    "networks", "paths", "pictures", "precision", "progress", "showcase", "systems", "train",
    "weights",
)  # fmt: skip
# and those that decide what a trial of a search scores besides
SEARCH = ("baselines", "evaluate", "metrics", "search")
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


def _hash(params: str, root: Path, modules: Iterable[str]) -> str:
    """16 hexadecimal digits."""
    digest = hashlib.sha256(params.encode())
    digest.update(load_statistics(root / paths.PREPARED)["data"].encode())
    digest.update(sha256_of(root / paths.FEATURES / "network.safetensors").encode())
    package = Path(__file__).parent.parent
    for module in modules:
        for file in sorted([*package.glob(f"{module}.py"), *package.glob(f"{module}/*.py")]):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
