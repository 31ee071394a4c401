"""Photographs on the manifold of a model of whole images: where they lie, edits carried back onto them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from roigan.apps.editor.requests import Project, Transfer
from roigan.apps.editor.verbs import strip, text
from roigan.config import ProjectParams
from roigan.errors import UserError
from roigan.image_io.lossless import encode, fit_format
from roigan.image_io.reader import Picture
from roigan.inference.paint import transfer as transferred
from roigan.inference.priors import prior_of
from roigan.inference.projection import project_picture
from roigan.inference.windows import square
from roigan.systems.model import Model


def project(model: Model, picture: Picture, given: Project) -> dict[str, Any]:
    """z of the picture's largest square, L (how far its image is from it), that image, and where the square
    lies. Raises UserError for a model without whole images."""
    found = project_picture(model, picture, ProjectParams(method=given.method, steps=given.steps))
    z: list[float] = found.z[0].double().tolist()
    where = square(picture)._asdict()
    return {"z": z, "L": float(found.loss[0]), "y": text(strip(found.images.cpu())), **where}


def transfer(model: Model, picture: Picture, given: Transfer) -> bytes:
    """The file of the picture with the edit from z0 to z1 carried over up to t."""
    z0, z1 = (_z(model, numbers) for numbers in (given.z0, given.z1))
    fitting = fit_format(picture, Path(f"picture.{given.format}"))
    return encode(transferred(model, fitting, z0, z1, given.t, given.frames), f".{given.format}")


def _z(model: Model, numbers: list[float]) -> Tensor:
    """[1, N]; UserError for another length than the prior's."""
    prior = prior_of(model)
    if len(numbers) != (wanted := prior.sizes.noise):
        raise UserError(f"z has {len(numbers)} numbers, but those of this model {wanted}")
    return torch.tensor([numbers], device=prior.device)
