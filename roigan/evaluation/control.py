"""Which controls does a model obey? A reader, trained afterwards, tells them from completed images alone.

Nothing here needs labels, and nothing of the training is used again: the reader is a new network that learns
from fresh fillings of training images and is examined on fillings of test images. What it can read, a person
may be able to see; what it cannot read does not act.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from roigan.config import ControlParams
from roigan.corruptions.families import KNOWN_SHARE
from roigan.corruptions.sampling import sample
from roigan.evaluation.metrics.pixels import l1
from roigan.features.fitting import fit
from roigan.features.network import FeatureNetwork
from roigan.images.arrays import to_float
from roigan.losses import latent
from roigan.nets.control_reader import Reader
from roigan.systems.model import Model

COLUMNS = ["control", "read", "chance", "effect", "leakage", "consistency"]
NOISE, DRAWS = "z0", 4  # its row in the table; pairs of draws from which its effect is taken
CHUNK = 64  # images completed at a time; bounds memory only
Masks = Callable[[int, torch.Generator], Tensor]  # count -> M [count, 1, H, W]


class Examined(NamedTuple):
    """What an examination finds."""

    table: pd.DataFrame
    """One row per control (c0, c1, ... sliders, k0, k1, ... codes), and one of the noise, z0, which nobody
    reads. read: R2 of a slider, accuracy of a code; chance: what knows nothing reads; effect: mean absolute
    difference inside the region between a slider's ends, values of a code half the list apart, or two draws
    of the noise with sliders and codes as they are, on [0, 1]; leakage: the largest difference outside;
    consistency: mean cosine between the directions in which one change moves the features of different
    images."""
    independence: np.ndarray
    """[sliders, sliders]: |correlation| of the slider that was set (row) with each one that was read."""


def examine(
    model: Model,
    train: np.ndarray,
    test: np.ndarray,
    features: FeatureNetwork,
    params: ControlParams,
    known_share: float = KNOWN_SHARE,
) -> Examined:
    """train, test: uint8 [N, H, W, C]; known_share: of the masks `scattered`. The same seed gives the same
    result on the same machine.

    A model without controls leaves both tables empty.
    """
    if not model.sliders:
        return Examined(pd.DataFrame(columns=COLUMNS), np.zeros((0, 0)))
    generator = torch.Generator().manual_seed(params.seed)

    def masks(count: int, generator: torch.Generator) -> Tensor:
        return sample(params.mask, count, model.image_size, generator, known_share)

    reader = _taught(model, train, masks, params, generator)
    c, k, c_read, k_read = [], [], [], []
    with torch.no_grad():
        for filling in _fillings(model, test, masks, params.test, generator):
            reading = reader(filling.y, filling.M)
            c.append(filling.c)
            k.append(filling.k)
            c_read.append(reading.mu)
            k_read.append(reading.logits.argmax(2))
    error = (torch.cat(c) - torch.cat(c_read)).square().sum(0)
    r2 = 1 - error / (torch.cat(c) - torch.cat(c).mean(0)).square().sum(0)
    accuracy = (torch.cat(k) == torch.cat(k_read)).float().mean(0)
    read = {f"c{i}": (value, 0.0) for i, value in enumerate(r2.tolist())}
    read |= {f"k{i}": (value, 1 / model.values) for i, value in enumerate(accuracy.tolist())}
    read[NOISE] = (math.nan, math.nan)
    rows = [
        {
            "control": control,
            "read": value,
            "chance": chance,
            **_moved(model, test, masks, features, params, control),
        }
        for control, (value, chance) in read.items()
    ]
    return Examined(pd.DataFrame(rows, columns=COLUMNS), correlation(torch.cat(c), torch.cat(c_read)))


class _Examined(NamedTuple):
    y: Tensor  # [B, C, H, W]
    M: Tensor  # [B, 1, H, W]
    c: Tensor  # [B, sliders]
    k: Tensor  # [B, codes]


def _fillings(
    model: Model, images: np.ndarray, masks: Masks, count: int, generator: torch.Generator
) -> Iterator[_Examined]:
    """`count` fillings of randomly chosen images with random controls."""
    for begin in range(0, count, CHUNK):
        n = min(CHUNK, count - begin)
        chosen = torch.randint(len(images), (n,), generator=generator).numpy()
        x, M = to_float(images[chosen]), masks(n, generator)
        c = 2 * torch.rand(n, model.sliders, generator=generator) - 1
        k = torch.randint(model.values, (n, model.codes), generator=generator)
        yield _Examined(model.complete(x, M, model.latent(n, generator, c, k)), M, c, k)


def _taught(
    model: Model, images: np.ndarray, masks: Masks, params: ControlParams, generator: torch.Generator
) -> Reader:
    """A new reader, trained on fillings of these images."""
    parts = list(_fillings(model, images, masks, params.train, generator))
    y, M, c, k = (torch.cat(column) for column in zip(*parts, strict=True))
    return taught(y, M, c, k, model.values, params, generator)


def taught(
    y: Tensor, M: Tensor, c: Tensor, k: Tensor, values: int, params: ControlParams, generator: torch.Generator
) -> Reader:
    """A new reader of c [N, sliders] and k [N, codes] from images y [N, C, S, S] and their masks M."""
    torch.manual_seed(params.seed)
    controls = (c.shape[1], k.shape[1], values)
    reader = Reader(y.shape[-1], y.shape[1], controls, params.width, equalised=False)

    def loss() -> Tensor:
        rows = torch.randint(len(y), (params.batch_size,), generator=generator)
        reading = reader(y[rows], M[rows])
        found = latent.gaussian_nll(c[rows], reading.mu, reading.logvar)
        return found + latent.categorical_nll(k[rows], reading.logits)

    fit(reader, params.steps, params.lr, loss, "reader of the controls")
    return reader.eval()


def _moved(
    model: Model,
    test: np.ndarray,
    masks: Masks,
    features: FeatureNetwork,
    params: ControlParams,
    control: str,
) -> dict[str, float]:
    """What one control does while all else stays: other sliders 0, other codes 0, the same z0."""
    x = to_float(test[: params.images])
    n, index = len(x), int(control[1:])
    M = masks(n, torch.Generator().manual_seed(params.seed))

    def filled(value: float) -> Tensor:
        c, k, seed = torch.zeros(model.sliders), [0] * model.codes, params.seed
        if control == NOISE:
            seed += int(value)
        elif control[0] == "c":
            c[index] = value
        else:
            k[index] = int(value)
        return model.complete(x, M, model.latent(n, torch.Generator().manual_seed(seed), c, k))

    if control == NOISE:
        pairs = [(filled(2 * i), filled(2 * i + 1)) for i in range(DRAWS)]
    elif control[0] == "c":
        pairs = [(filled(-1.0), filled(1.0))]
    else:
        apart = model.values // 2  # codes have no ends; next to each other, their values may be alike
        pairs = [(filled(v), filled(v + apart)) for v in range(apart)]
    directions = [features.embed(b) - features.embed(a) for a, b in pairs]
    return {
        "effect": torch.stack([l1(a, b, M) for a, b in pairs]).mean().item(),
        "leakage": max(((a - b).abs() * (1 - M)).max().item() for a, b in pairs),
        "consistency": sum(_agreement(d) for d in directions) / len(directions),
    }


def _agreement(directions: Tensor) -> float:
    """Mean cosine between different rows of [N, F], N >= 2."""
    u, n = F.normalize(directions, dim=1), len(directions)
    return ((u.sum(0).square().sum() - u.square().sum()) / (n * (n - 1))).item()


def correlation(c: Tensor, c_read: Tensor) -> np.ndarray:
    """|Correlation| of every column of c with every column of c_read: [N, K], [N, L] -> [K, L]."""
    both = torch.corrcoef(torch.cat([c, c_read], 1).T)
    return both[: c.shape[1], c.shape[1] :].abs().nan_to_num().numpy()  # a constant column has no correlation
