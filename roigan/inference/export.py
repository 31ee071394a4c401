"""A model as one file that runs with torch alone: the traced program with its weights (torch.export)."""

from __future__ import annotations

import io
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from roigan.errors import UserError
from roigan.files.atomic import writing
from roigan.nets.latent import join_latent
from roigan.systems.model import Model

TRACED = 2  # images; a batch of one would be traced as the only size there is
CHECKED = (1, 3)  # sizes of the batches on which the file must agree with the model


class Program(nn.Module):
    """What is exported: the latent vector is put together inside, so that callers need no layout of it."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.G, self.values = model.G, model.values

    def forward(self, x: Tensor, M: Tensor, z0: Tensor, c: Tensor, k: Tensor) -> Tensor:
        """x: [B, C, S, S] in [-1, 1]; M: [B, 1, S, S]; z0: [B, noise]; c: [B, sliders]; k: int64 [B, codes].

        Returns y: like x.
        """
        y: Tensor = self.G(x, M, join_latent(z0, c, k, self.values)).y
        return y


def export(model: Model, file: Path) -> None:
    """Write a .pt2 file for batches of any size, together with sizes.json, after a check that it gives the
    model's own pixels bit for bit. Raises UserError where it does not or cannot be written.
    """
    model.require("complete")
    with writing(file) as unfinished:
        program = Program(model.to("cpu")).eval()
        batch = torch.export.Dim("batch")
        with torch.no_grad():
            traced = torch.export.export(program, _inputs(model, TRACED), dynamic_shapes=[{0: batch}] * 5)
        traced.example_inputs = None  # would be stored as a pickle
        content = io.BytesIO()  # torch's writer aborts the process where a disk is full
        torch.export.save(traced, content, extra_files={"sizes.json": json.dumps(sizes(model), indent=1)})
        unfinished.write_bytes(content.getvalue())
        _check(program, unfinished, model)


def sizes(model: Model) -> dict[str, object]:
    """What a caller must know to make inputs."""
    own = {"image_size": model.image_size, "channels": model.channels, "weights_sha256": model.sha256}
    return own | model.sizes._asdict()


def _check(program: nn.Module, file: Path, model: Model) -> None:
    loaded = torch.export.load(file).module()
    for count in CHECKED:
        inputs = _inputs(model, count)
        if not torch.equal(loaded(*inputs), program(*inputs)):
            raise UserError("nothing is written: the exported program gives other pixels")


def _inputs(model: Model, count: int) -> tuple[Tensor, ...]:
    generator, side = torch.Generator().manual_seed(count), model.image_size
    return (
        torch.rand(count, model.channels, side, side, generator=generator) * 2 - 1,
        (torch.rand(count, 1, side, side, generator=generator) > 0.5).float(),
        torch.randn(count, model.sizes.noise, generator=generator),
        torch.rand(count, model.sliders, generator=generator) * 2 - 1,
        torch.randint(model.values, (count, model.codes), generator=generator),
    )
