"""From packed images and masks to the rank's rows of a step's batch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from roigan.config import Params
from roigan.corruptions.cache import load_cache
from roigan.corruptions.sampling import CachedSampler, Sampler
from roigan.errors import UserError
from roigan.files import paths
from roigan.game import Batch, Draws
from roigan.images.arrays import normalise
from roigan.training.worker import Place


class Shuffled:
    """The order of the training images: a new permutation in every epoch, a function of (seed, epoch) alone.

    So that step t sees the same images whether or not the run was interrupted before it, and however many
    ranks share the batch.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        if count < batch_size:
            raise UserError(
                f"train.batch_size is {batch_size}, but there are only {count} training images; lower it"
            )
        self.count, self.batch_size, self.seed = count, batch_size, seed
        self.steps_per_epoch = count // batch_size
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def indices(self, step: int) -> Tensor:
        """Rows of the training array in the global batch of a step: int64 [batch_size]."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            self._epoch, self._order = epoch, torch.randperm(self.count, generator=generator)
        return self._order[position * self.batch_size : (position + 1) * self.batch_size]


def make_batch(
    params: Params,
    x_train: Tensor,
    order: Shuffled,
    sampler: Sampler | CachedSampler,
    step: int,
    place: Place,
) -> Batch:
    """The rank's rows of the batch of a step: images (mirrored, noisy if asked for) and masks.

    Images beyond those that `order` counts lend their known pixels, at random.
    """
    total, device = params.train.batch_size, x_train.device
    share = total // place.world
    rows = slice(place.rank * share, (place.rank + 1) * share)
    draws = Draws(params.train.seed, step, total, rows, device)

    def images(indices: Tensor, noise: str) -> Tensor:  # [B], name of a draw -> [B, C, H, W]
        x = normalise(x_train[indices.to(device)].movedim(-1, 1))
        if params.train.flip:
            x = torch.where(draws.uniform("flip")[:, None, None, None] < 0.5, x.flip(-1), x)
        if params.train.noise:
            x = x + params.train.noise * draws.normal(noise, *x.shape[1:])
        return x

    x = lent = images(order.indices(step)[rows], "noise")
    if others := len(x_train) - order.count:
        lent = images(order.count + draws.integers("lent", others), "lent noise")
    return Batch(x, sampler(draws.uniform("M", sampler.draws)), draws, step, {}, lent)


def training_masks(params: Params, root: Path) -> Sampler | CachedSampler:
    """Fresh masks at every step, or those of the stage `masks` where `masks.cached` says so."""
    masks = params.masks
    if masks.cached:
        wanted = [family for family, weight in masks.train.items() if weight > 0]
        caches = {family: load_cache(root / paths.MASKS / "train" / f"{family}.npz") for family in wanted}
        return CachedSampler(masks.train, caches)
    return Sampler(masks.train, params.data.image_size, masks.known_share)
