"""The model that a command names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from roigan.errors import UserError

if TYPE_CHECKING:
    from roigan.systems.model import Model


def load_model(reference: str) -> Model:
    """A model from a folder or the registry, on the GPU where there is one."""
    import torch

    from roigan.systems.model import Model

    if Path(reference).is_dir():
        folder = Path(reference)
    elif reference.startswith("models:/"):
        from roigan.tracking import registry

        folder = registry.download(registry.find_version(reference))
    else:
        raise UserError(
            f"model {reference} is neither a folder nor models:/NAME@ALIAS or models:/NAME/VERSION"
        )
    return Model.load(folder).to("cuda" if torch.cuda.is_available() else "cpu")
