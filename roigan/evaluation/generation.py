"""The verb `generate`: images from nothing but z -> a table, one row per method.

Every image has a z of its own. FID, KID and the two-sample scores compare the samples with the test images by
halves, as for completions; the floor is what the test images themselves get. `copy` (training images) is what
pure memory achieves, `mean` (their mean) what needs no image at all: a good score means something only beside
them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from roigan.config import EvaluateParams, Params
from roigan.evaluation.bootstrap import Scored
from roigan.evaluation.completion import COLUMNS, set_metrics
from roigan.evaluation.exam import Evaluation, Exam, chosen
from roigan.evaluation.methods import average
from roigan.evaluation.metrics.diversity import diversity
from roigan.evaluation.metrics.records import METRICS
from roigan.features.network import FeatureNetwork
from roigan.images.arrays import batches, to_float, to_uint8
from roigan.systems.model import Model

Sampler = Callable[[int, torch.Generator], Tensor]
"""(n, generator of the CPU) -> images [n, C, S, S] in [-1, 1]."""

AT_ONCE = 64  # images generated at a time: bounds memory only


def sampled(model: Model) -> Sampler:
    """A trained model."""

    def sample(n: int, generator: torch.Generator) -> Tensor:
        parts = model.latent(n, generator).split(AT_ONCE)
        return torch.cat([model.generate(z) for z in parts])

    return sample


def copies(train: np.ndarray) -> Sampler:
    """Different training images, drawn at random; train: uint8 [N, H, W, C]."""

    def sample(n: int, generator: torch.Generator) -> Tensor:
        rows = torch.randperm(len(train), generator=generator)[:n]
        return to_float(train[rows[torch.arange(n) % len(rows)].numpy()])

    return sample


def mean(train: np.ndarray) -> Sampler:
    """The mean of the training images, always."""
    image = average(train)
    return lambda n, generator: image.expand(n, -1, -1, -1)


def own(params: Params, model: Model) -> Sampler:
    """The model's method."""
    return sampled(model)


def methods(params: Params, model: Model, train: np.ndarray) -> dict[str, Sampler]:
    """The competitors by name; train: uint8 [N, H, W, C]."""
    return {model.system: sampled(model), "copy": copies(train), "mean": mean(train)}


def table(samplers: Mapping[str, Sampler], exam: Exam) -> Evaluation:
    """`measure`, as params.yaml asks for it."""
    return measure(samplers, exam.test, exam.masks, exam.features, exam.params.evaluate)


def measure(
    samplers: Mapping[str, Sampler],
    test: np.ndarray,
    masks: Mapping[str, Tensor],
    features: FeatureNetwork,
    params: EvaluateParams,
) -> Evaluation:
    """Score every sampler, and the test images, by as many samples as there are test images.

    test: uint8 [N, H, W, C]; masks: for the names of their families alone, which mark the rows. The same seed
    gives the same table. Raises UserError for fewer than 4 test images.
    """
    test = chosen(test, params)
    reference = features.embed_images(test)
    rows, scored = [], dict[tuple[str, str], Scored]()
    with tqdm(total=len(samplers) * len(test), desc="evaluate", unit="image", file=sys.stderr) as bar:
        for name, sample in samplers.items():
            images = to_uint8(sample(len(test), torch.Generator().manual_seed(params.seed)))
            embedded = []
            for x in batches(images, AT_ONCE):
                embedded.append(features.embed(x.to(features.device)).cpu())
                bar.update(len(embedded[-1]))
            rows.append(_row(name, images, torch.cat(embedded), reference, params))
            scored |= {(name, family): Scored({}, torch.cat(embedded)) for family in masks}
    rows.append(_row("real", test, reference, reference, params))
    scored |= {("real", family): Scored({}, reference) for family in masks}
    table = pd.DataFrame([row | {"mask": family} for family in masks for row in rows])
    return Evaluation(table.reindex(columns=COLUMNS), scored)


def _row(
    name: str, images: np.ndarray, embedded: Tensor, reference: Tensor, params: EvaluateParams
) -> dict[str, float | str]:
    few = to_float(images[: params.diversity_images])[:, None]  # [K, 1, C, S, S]
    apart = diversity(few, torch.ones_like(few[0][:, :1])).item()
    found = {"method": name, "n": len(images), **set_metrics(embedded, reference), "diversity": apart}
    return dict.fromkeys(METRICS, float("nan")) | found
