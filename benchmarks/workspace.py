"""A project folder of shipped photographs, as it is before the stage `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from roigan import paths
from roigan.config import Params, changed, load_params
from roigan.features import make_features
from roigan.prepare import prepare

SMALL = {"data.source": "photos", "data.path": None, "data.limit": 640, "features.steps": 10}


def lay_out(folder: Path, changes: dict[str, Any]) -> Params:
    """Images, features and params.yaml of a few photographs; returns the parameters: the default, changed."""
    params = changed(load_params(), SMALL | changes)
    prepare(params.data, folder / paths.PREPARED)
    make_features(folder / paths.PREPARED, params.features, folder / paths.FEATURES)
    (folder / "params.yaml").write_text(yaml.safe_dump(params.model_dump(mode="json", by_alias=True)))
    return params
