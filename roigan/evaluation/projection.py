"""The verb `project`: images onto the manifold of a prior -> a table, one row per method.

A projection is measured as a completion of everything: psnr and l1 say how near it comes. `mean` (the mean
training image) is what needs no model, `nearest` (the nearest training image) what pure memory achieves.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from roigan.config import Params
from roigan.evaluation import completion
from roigan.evaluation.exam import Evaluation, Exam
from roigan.evaluation.methods import Completer, mean_image, nearest_image
from roigan.inference.projection import Projector
from roigan.systems.model import Model


def own(params: Params, model: Model) -> Completer:
    """The model's projection, as params.yaml asks for it."""
    return projected(params, model, params.project.method)


def projected(params: Params, model: Model, method: str) -> Completer:
    """The image found by a method (a key of METHODS); every search has a start of its own."""
    project = Projector(model, params.project.model_copy(update={"method": method}))

    def fill(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
        return project(x, model.latent(len(x), generator)).images.to(x.device)

    return fill


def seen(propose: Completer) -> Completer:
    """A rival that looks at the whole image."""
    return lambda x, M, generator: propose(x, torch.zeros_like(M), generator)


def methods(params: Params, model: Model, train: np.ndarray) -> dict[str, Completer]:
    """The competitors by name; train: uint8 [N, H, W, C]."""
    ways = {name: projected(params, model, name) for name in ("network", "optimisation")}
    memory = {"nearest": seen(nearest_image(train)), "mean": mean_image(train)}
    return {model.system: own(params, model), **ways, **memory}


def table(projections: Mapping[str, Completer], exam: Exam) -> Evaluation:
    """Score every projection; of masks the names of their families count alone: all of an image is made."""
    whole = {family: torch.ones_like(M[:1]) for family, M in exam.masks.items()}
    return completion.measure(projections, exam.test, whole, exam.features, exam.params.evaluate)
