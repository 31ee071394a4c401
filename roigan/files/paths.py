"""Where things lie on disk: the stages' outputs, and the home of what outlives a workspace."""

from __future__ import annotations

from pathlib import Path

PREPARED = Path("data/prepared")  # train.npy, val.npy, test.npy, manifest.parquet, statistics.json
MASKS = Path("data/masks")  # FAMILY.npz, masks.png
TRAINING_MASKS = Path("data/training_masks")  # FAMILY.npz, where masks.cached says so; statistics.json
FEATURES = Path("data/features")  # network.safetensors, config.json
JUDGE = Path("data/judge")  # the same, of evaluate.judge
MODEL = Path("models/roigan")  # generator.safetensors, config.json, states/STEP.safetensors
PRIOR = Path("models/prior")  # the same, where params.yaml has a prior
REPORTS = Path("reports")
HISTORY = REPORTS / "history.csv"
SAMPLES = REPORTS / "samples"
REGISTERED = REPORTS / "registered.json"  # name and sha256 of the registered weights
EVALUATION = REPORTS / "evaluation.csv"
CONTROL = REPORTS / "control.csv"
INDEPENDENCE = REPORTS / "independence.csv"


def home() -> Path:
    """The project's own folder, absolute: never the temporary workspace of a queued DVC experiment, which is
    deleted with all that lies in it (tracking database, artefacts, checkpoints)."""
    here = Path.cwd().resolve()
    parts = here.parts
    for i in range(len(parts) - 2):
        if parts[i : i + 3] == (".dvc", "tmp", "exps"):
            return Path(*parts[:i])
    return here


def state() -> Path:
    """`home()/.roigan`, ignored by git and DVC: MLflow's database and artefacts, Ray's checkpoints."""
    folder = home() / ".roigan"
    folder.mkdir(exist_ok=True)
    return folder
