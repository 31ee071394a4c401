"""Where a picture is anomalous: how far its score falls when a region is hidden.

M. D. Zeiler, R. Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014; with random regions
instead of a sliding square, as V. Petsiuk et al., RISE, BMVC 2018.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from roigan.corruptions.sampling import sample
from roigan.images.arrays import to_float
from roigan.images.grids import grid
from roigan.images.poisson import poisson
from roigan.systems.model import Model

FAMILY = "rectangle"  # of regions
REGIONS = 400
SMALL = 0.08  # of the picture at most: what hides more blurs the map
AT_ONCE = 64  # regions at a time: bounds memory only
SHOWN = 256  # pixels of a map's side at least
HOT, COLD = (255, 60, 0), (0, 90, 255)


def regions(size: int, seed: int) -> Tensor:
    """Small ones, the same for all pictures: M [400, 1, size, size]."""
    M = sample(FAMILY, 8 * REGIONS, size, torch.Generator().manual_seed(seed))
    return M[M.mean((1, 2, 3)) <= SMALL][:REGIONS]


@torch.no_grad()
def heat(model: Model, image: np.ndarray, M: Tensor) -> np.ndarray:
    """The mean fall of the score over the regions that a pixel lies in, 0 where none does: float64 [S, S].
    Above 0, what is there makes the picture more anomalous.

    image: uint8 [S, S, C], as the model sees it; M: [K, 1, S, S]. A hidden region is filled with the membrane
    that its surroundings span.
    """
    x = to_float(image[None])  # [1, C, S, S]
    own, parts = model.score(x.to(model.device)), []
    for part in M.split(AT_ONCE):
        known = x.expand(len(part), -1, -1, -1)
        hidden = poisson(known, torch.zeros_like(known), part)
        parts.append((own - model.score(hidden.to(model.device))).double().cpu())
    falls, inside = torch.cat(parts), M[:, 0].double()  # [K], [K, S, S]
    found: np.ndarray = (torch.tensordot(falls, inside, 1) / inside.sum(0).clamp_min(1)).numpy()
    return found


def drawn(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The picture, and beside it its map: red where it is anomalous, blue where it is more normal than its
    surroundings make it; the strongest place of either has the full colour. uint8 [H', W', 3]."""
    grey = image.mean(2, keepdims=True)  # [S, S, 1]
    strength = np.abs(heat)[..., None] / max(np.abs(heat).max(), np.finfo(float).tiny)
    colour = np.where(heat[..., None] > 0, HOT, COLD)
    coloured = (grey * (1 - strength) + colour * strength).round().astype(np.uint8)
    pair = np.stack([np.broadcast_to(image, coloured.shape), coloured])
    times = -(-SHOWN // len(image))
    return grid(pair.repeat(times, 1).repeat(times, 2), 2)
