"""The registered model as MLflow runs it ("models from code"): pictures and masks in, completions out.

Input: `image` uint8 [B, H, W, C] and `mask` uint8 [B, H, W, 1] (>= 128: generate), of any H and W.
Parameters: `seed`, `c` (sliders in [-1, 1]) and `k` (codes); missing numbers of c and k are 0, empty lists
are drawn from the seed. Output: uint8 [B, H, W, C], equal to `image` outside the mask, the same for the same
seed. A model that generates takes `seed` int64 [B] alone and gives uint8 [B, S, S, C]. One that scores takes
`image` alone and gives float64 [B, 4]: score (higher = more anomalous), percentile, flag (0 or 1), p-value.
One that projects takes `image` alone and gives its own nearest images, uint8 [B, S, S, C]. What cannot be
served is refused with the reason, as an error that MLflow's server answers with 400.
"""

from __future__ import annotations

from typing import Any

import mlflow.pyfunc
import numpy as np
import torch
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.models.utils import _enforce_params_schema
from mlflow.pyfunc.model import PythonModel
from PIL import Image

from roigan.config import ProjectParams
from roigan.errors import UserError
from roigan.images.arrays import to_uint8
from roigan.inference.generate import generate_images
from roigan.inference.inpaint import complete_pictures
from roigan.inference.projection import project_picture
from roigan.inference.score import score_pictures
from roigan.systems.model import Model

PARAMETERS = {"seed", "c", "k"}
SEEDS = 2**63  # torch takes seeds below this


class Served(PythonModel):
    """A model folder behind MLflow's interface."""

    # the signature is written by hand; without this MLflow warns at every load that it cannot infer one
    _skip_type_hint_validation = True

    def load_context(self, context: Any) -> None:
        self.model = Model.load(context.artifacts["model"])

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # see above
        """Complete pictures, or generate one per seed; MlflowException (400) for what cannot be done."""
        try:
            if self.model.verbs[0] == "generate":
                return self._generate(np.asarray(model_input["seed"]))
            images = np.asarray(model_input["image"])
            if self.model.verbs[0] == "score":
                return self._score(images)
            if self.model.verbs[0] == "project":
                return self._project(images)
            return self._complete(images, np.asarray(model_input["mask"]), params or {})
        except UserError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None

    def _generate(self, seeds: np.ndarray) -> np.ndarray:
        if not seeds.size:
            raise UserError("seed is empty; give one number for every picture")
        return to_uint8(generate_images(self.model, [_seed(seed) for seed in seeds.ravel().tolist()]))

    def _score(self, images: np.ndarray) -> np.ndarray:
        _check(images, images)
        return np.array(score_pictures(self.model, _pictures(images)), np.float64)

    def _project(self, images: np.ndarray) -> np.ndarray:
        _check(images, images)
        pictures = _pictures(images)
        found = [project_picture(self.model, picture, ProjectParams()).images for picture in pictures]
        return to_uint8(torch.cat(found))

    def _complete(self, images: np.ndarray, masks: np.ndarray, given: dict[str, Any]) -> np.ndarray:
        _check(images, masks)
        seed = _seed(given.get("seed", 0))
        pictures = _pictures(images)
        regions = [mask[..., 0] >= 128 for mask in masks]
        c, k = _list(given.get("c")), _list(given.get("k"))
        completed = complete_pictures(self.model, pictures, regions, seed, c, k)
        return np.stack([np.asarray(picture).reshape(images.shape[1:]) for picture in completed])


def _pictures(images: np.ndarray) -> list[Image.Image]:
    return [Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image) for image in images]


def _seed(given: Any) -> int:
    seed = int(given)
    if not 0 <= seed < SEEDS:
        raise UserError(f"seed is {seed}, but seeds go from 0 to 2^63 - 1")
    return seed


def _check(images: np.ndarray, masks: np.ndarray) -> None:
    if images.shape[:3] != masks.shape[:3] or not images.size:
        shapes = f"images {list(images.shape)} and masks {list(masks.shape)}"
        raise UserError(f"{shapes} must agree in their first three sizes, and be at least one pixel")
    pixels, limit = int(np.prod(images.shape[:3])), Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:
        raise UserError(f"{pixels} pixels in one request; the limit is {limit}")


def _list(numbers: Any) -> list[Any] | None:
    """An empty list stands for "not given": MLflow's parameters have no None."""
    return None if numbers is None or len(numbers) == 0 else np.asarray(numbers).tolist()


def refuse_unknown(params: Any, schema: Any) -> Any:
    """MLflow's own check, which drops parameters that it does not know: a typo would pass for a default."""
    known = {spec.name for spec in schema.params} if schema else set()
    if known == PARAMETERS and isinstance(params, dict) and (unknown := set(params) - known):
        names = ", ".join(sorted(map(str, unknown)))
        raise MlflowException.invalid_parameter_value(
            f"unknown parameters: {names}; known are {', '.join(sorted(known))}"
        )
    return _enforce_params_schema(params, schema)


mlflow.pyfunc._enforce_params_schema = refuse_unknown  # type: ignore[attr-defined]  # no public place for it
set_model(Served())
