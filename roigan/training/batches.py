"""From packed images and masks to the rank's rows of a step's batch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from roigan.config import Params
from roigan.corruptions.cache import load_cache
from roigan.corruptions.corruption import Corruption
from roigan.corruptions.sampling import CachedSampler, Sampler
from roigan.errors import UserError
from roigan.files import paths
from roigan.game import Batch, StepRandom
from roigan.images.arrays import normalise
from roigan.images.crops import recropped
from roigan.training.worker import Worker


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


class Batches:
    """The batches of a training: a function of (seed, step, turn) alone.

    The last `train.constraints` of the images are never drawn: they only lend their known pixels, at random
    (`prepare` has shuffled them).
    """

    def __init__(
        self,
        params: Params,
        images: Tensor,
        labels: Tensor | None,
        sampler: Sampler | CachedSampler,
        worker: Worker,
        turns: int = 1,
    ) -> None:
        """images: uint8 [N, S, S, C] on the device; labels: int64 [N] or None; turns: the most that any
        player takes in a step, each on images of its own."""
        self.params, self.images, self.labels, self.sampler = params, images, labels, sampler
        self.turns = turns
        self.lending = round(params.train.constraints * len(images))
        self.order = Shuffled(len(images) - self.lending, params.train.batch_size, params.train.seed)
        share = params.train.batch_size // worker.world
        self.rows = slice(worker.rank * share, (worker.rank + 1) * share)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one pass through the images."""
        return max(1, self.order.steps_per_epoch // self.turns)

    def draw(self, step: int, turn: int = 0) -> Batch:
        """The rank's rows of a batch: images (mirrored, cropped, noisy) and what is asked of them."""
        train, device = self.params.train, self.images.device
        random = StepRandom(train.seed, step, train.batch_size, self.rows, device, turn)

        def images(indices: Tensor, noise: str) -> Tensor:  # [B], name of a draw -> [B, C, H, W]
            x = normalise(self.images[indices.to(device)].movedim(-1, 1))
            if train.flip:
                x = torch.where(random.uniform("flip")[:, None, None, None] < 0.5, x.flip(-1), x)
            if train.crops:
                x = recropped(x, random.uniform("crops", 3), train.crops)
            if train.noise:
                x = x + train.noise * random.normal(noise, *x.shape[1:])
            return x

        indices = self.order.indices(step * self.turns + turn)[self.rows]
        x = conditioning = images(indices, "noise")
        if self.lending:
            lent = self.order.count + random.integers("lent", self.lending)
            conditioning = images(lent, "lent noise")
        region = self.sampler(random.uniform("M", self.sampler.draws))
        corruption = Corruption.region(self.params.model.coordinates, region)
        labels = None if self.labels is None else self.labels[indices.to(device)]
        return Batch(x, corruption, random, step, conditioning, labels)


def training_masks(params: Params, root: Path) -> Sampler | CachedSampler:
    """Fresh masks at every step, or those of the stage `masks` where `masks.cached` says so."""
    masks = params.masks
    if masks.cached:
        wanted = [family for family, weight in masks.train.items() if weight > 0]
        caches = {family: load_cache(root / paths.TRAINING_MASKS / f"{family}.npz") for family in wanted}
        return CachedSampler(masks.train, caches)
    return Sampler(masks.train, params.data.image_size, masks.known_share)
