"""Sample grids: fixed validation images under fixed masks and fixed noise; or samples from nothing; or
validation images in the order of their scores; or where such images are projected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from roigan.config import Params
from roigan.corruptions.corruption import Corruption
from roigan.corruptions.sampling import sample
from roigan.files import paths
from roigan.images.arrays import load_split, to_float, to_uint8
from roigan.images.grids import grid
from roigan.nets.latent import draw_latent
from roigan.systems.model import Model

SHOWN = 9  # images in a grid
JUDGED = 200  # of which a model that scores shows the extremes


class Samples:
    """The same images, masks and noise at every look, so that two grids of a run can be compared."""

    def __init__(
        self, params: Params, verb: str, root: Path, device: torch.device, prior: Model | None = None
    ) -> None:
        self.verb, self.prior = verb, prior
        generator = torch.Generator().manual_seed(params.train.seed)
        val = load_split(root / paths.PREPARED, "val")
        x = to_float(np.array(val[:SHOWN]))
        self.judged = to_float(np.array(val[: JUDGED if verb == "score" else 0])).to(device)
        families = [family for family, weight in params.masks.train.items() if weight > 0]
        size, model = params.data.image_size, params.model
        share = -(-len(x) // len(families))
        drawn = [sample(family, share, size, generator, params.masks.known_share) for family in families]
        self.x, self.M = x.to(device), torch.cat(drawn)[: len(x)].to(device)
        self.corruption = Corruption.region(model.coordinates, self.M)
        self.z = [draw_latent(len(x), model.latent, generator).to(device) for _ in range(2)]

    @torch.no_grad()
    def picture(self, net: nn.Module) -> np.ndarray:
        """uint8 [H', W', 3] of the network that the system serves: image, hole and two fillings, row by row;
        or, from nothing, samples alone; or images that are most like the training's, and least; or images and
        their projections."""
        if self.verb == "score":
            order = net(self.judged).argsort(descending=True)  # D: the most normal first
            shown = torch.cat([order[: len(self.x)], order[-len(self.x) :]])
            return grid(to_uint8(self.judged[shown]), len(self.x))
        if self.prior and self.verb == "project":
            return grid(to_uint8(torch.cat([self.x, self.prior.generate(net(self.x))])), len(self.x))
        G = net
        if self.verb == "generate":
            return grid(to_uint8(torch.cat([G(z) for z in self.z])), len(self.x))
        hole = self.corruption.joined(self.x, torch.zeros_like(self.x))
        fillings = [G(self.x, self.M, z).y for z in self.z]
        return grid(to_uint8(torch.cat([self.x, hole, *fillings])), len(self.x))
