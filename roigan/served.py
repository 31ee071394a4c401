"""The registered model as MLflow runs it ("models from code"): pictures and masks in, completions out.

Input: `image` uint8 [B, H, W, C] and `mask` uint8 [B, H, W, 1] (>= 128: generate), of any H and W.
Parameters: `seed`, `c` (sliders in [-1, 1]) and `k` (codes); missing numbers of c and k are 0, empty lists
are drawn from the seed. Output: uint8 [B, H, W, C], equal to `image` outside the mask, the same for the same
seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from PIL import Image

from roigan.edit import complete_pictures
from roigan.model import Model


class Served(PythonModel):
    """A model folder behind MLflow's interface."""

    # the signature is written by hand; without this MLflow warns at every load that it cannot infer one
    _skip_type_hint_validation = True

    def load_context(self, context: Any) -> None:
        self.model = Model.load(context.artifacts["model"])

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # see above
        """Complete a batch of pictures; UserError for an empty mask and for parameters out of range."""
        images, masks = np.asarray(model_input["image"]), np.asarray(model_input["mask"])
        given = params or {}
        pictures = [Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image) for image in images]
        completed = complete_pictures(
            self.model,
            pictures,
            [mask[..., 0] >= 128 for mask in masks],
            int(given.get("seed", 0)),
            _list(given.get("c")),
            _list(given.get("k")),
        )
        return np.stack([np.asarray(picture).reshape(images.shape[1:]) for picture in completed])


def _list(numbers: Any) -> list[Any] | None:
    """An empty list stands for "not given": MLflow's parameters have no None."""
    return None if numbers is None or len(numbers) == 0 else np.asarray(numbers).tolist()


set_model(Served())
