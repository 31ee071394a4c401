"""The rivals of a model that scores: critics of its prior's past, memory, a plane, a forest, and one number.

A detector is a function from images uint8 [N, S, S, C] to scores [N], higher = more anomalous. It may give
the scores of several methods at once, by their names, and [N, T] of T methods of which the best in hindsight
counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from roigan.config import SearchParams
from roigan.images.arrays import batches, to_float
from roigan.inference.latent_search import LatentSearch
from roigan.nets.memory import nearest_squared
from roigan.systems.model import Model
from roigan.systems.states import State

AT_ONCE = 256  # images scored at a time: bounds memory only
NEIGHBOURS = 20_000  # training images that are remembered at most
LEARNT = 2_000  # training images that a forest, a machine with kernels, or a plane of many pixels learns from
COMPONENTS = 50  # of PCA
CEILING = "best critic"
ANOGAN = 0.1  # weight of the critic's word beside the residual (Schlegl et al. 2017: lambda)


class Detector(NamedTuple):
    """A way of scoring images, or several."""

    score: Callable[[np.ndarray], Tensor | dict[str, Tensor]]
    limit: int | None = None
    """At most so many images of a set are scored: what takes seconds an image."""


def batched(score: Callable[[Tensor], Tensor], device: torch.device) -> Callable[[np.ndarray], Tensor]:
    """A score of tensors [B, C, S, S] in [-1, 1] -> one of arrays."""

    @torch.no_grad()
    def of_arrays(images: np.ndarray) -> Tensor:
        return torch.cat([score(x.to(device)).float().cpu() for x in batches(images, AT_ONCE)])

    return of_arrays


def scored(model: Model) -> Detector:
    """A model with the verb `score`."""
    return Detector(batched(model.score, model.device))


def critics(prior: Model, past: Sequence[State], q: Tensor, mean: dict[str, Tensor]) -> Detector:
    """What the past offers without a detector: its last critic, the one of a quarter of the run, the mean of
    them (one network, weighed by q), the mean of their scores, and the best, chosen on the very images that
    are judged: a ceiling, no method.

    prior: lends its network D, whose weights are not touched.
    """
    D, device = prior.nets["D"], prior.device

    def by(state: dict[str, Tensor]) -> Callable[[np.ndarray], Tensor]:
        mine = {name: value.to(device) for name, value in state.items()}
        return batched(lambda x: -functional_call(D, mine, (x,)), device)

    each, averaged = [by(state.nets["D"]) for state in past], by(mean)

    def score(images: np.ndarray) -> dict[str, Tensor]:
        scores = torch.stack([one(images) for one in each], 1)  # [N, T]
        return {
            "last critic": scores[:, -1],
            "early critic": scores[:, max(0, len(past) // 4 - 1)],
            "mean critic": averaged(images),
            "mean of scores": scores @ q.float(),
            CEILING: scores,
        }

    return Detector(score)


def nearest(train: np.ndarray, embed: Callable[[np.ndarray], Tensor], device: torch.device) -> Detector:
    """The squared distance to the nearest training image; embed: images -> [N, F], pixels or features."""
    known = embed(np.asarray(train[:NEIGHBOURS])).to(device)  # [M, F]
    return Detector(lambda images: nearest_squared(embed(images).to(device), known).cpu())


def pixels(images: np.ndarray) -> Tensor:
    """uint8 [N, S, S, C] -> float32 [N, F] in [-1, 1]."""
    return to_float(images).flatten(1)


def directions(images: np.ndarray) -> Tensor:
    """uint8 [N, S, S, C] -> float32 [N, F] of length 1: their distances depend on the cosine alone."""
    return F.normalize(pixels(images) + 1, dim=1)  # from black on


def pca(train: np.ndarray) -> Detector:
    """The squared distance to the plane of the 50 directions in which training images vary most."""
    x = pixels(np.asarray(train[: NEIGHBOURS if train[0].size <= LEARNT else LEARNT]))
    mean = x.mean(0)
    plane = _strongest(x - mean)  # [F, 50]

    def score(images: np.ndarray) -> Tensor:
        apart = pixels(images) - mean
        return apart.square().sum(1) - (apart @ plane).square().sum(1)

    return Detector(score)


def _strongest(x: Tensor) -> Tensor:
    """The 50 strongest eigenvectors of x^T x for x [N, F]; by way of x x^T where that is smaller."""
    if len(x) >= x.shape[1]:
        return torch.linalg.eigh(x.T @ x)[1][:, -COMPONENTS:]
    return F.normalize(x.T @ torch.linalg.eigh(x @ x.T)[1][:, -COMPONENTS:], dim=0)


def learnt(machine: Any, train: np.ndarray) -> Detector:
    """A one-class learner of scikit-learn, on the pixels of at most 2,000 training images."""
    machine.fit(pixels(np.asarray(train[:LEARNT])).numpy())
    return Detector(lambda images: torch.from_numpy(-machine.score_samples(pixels(images).numpy())).float())


def forest(train: np.ndarray, seed: int) -> Detector:
    """An isolation forest (Liu et al. 2008)."""
    from sklearn.ensemble import IsolationForest

    return learnt(IsolationForest(random_state=seed), train)


def svm(train: np.ndarray) -> Detector:
    """A one-class support vector machine (Schölkopf et al. 2001)."""
    from sklearn.svm import OneClassSVM

    return learnt(OneClassSVM(gamma="scale", nu=0.1), train)


def ink(train: np.ndarray) -> Detector:
    """How far an image's mean is from that of training images: a set that it tells apart is too easy."""
    mean = float(np.asarray(train[:NEIGHBOURS]).mean())
    return Detector(lambda images: torch.from_numpy(np.abs(images.mean((1, 2, 3)) - mean)).float())


def anogan(prior: Model, params: SearchParams, limit: int, seed: int) -> Detector:
    """How far the nearest image that the prior can make is (Schlegl et al. 2017): all pixels are known, and a
    search finds z. The score is its loss, |G(z) - x| and a little of what D thinks of G(z)."""
    settings = {"weights": "K", "alpha": 1 - ANOGAN, "beta": 0.0, "eta": ANOGAN}
    search = LatentSearch(prior, params.model_copy(update=settings))

    def score(images: np.ndarray) -> Tensor:
        generator, found = torch.Generator().manual_seed(seed), []
        for part in batches(images, AT_ONCE):
            x = part.to(prior.device)
            z = prior.latent(len(x), generator).to(prior.device)
            found.append(search.find(x, torch.zeros_like(x[:, :1]), z).loss.detach().cpu())
        return torch.cat(found)

    return Detector(score, limit)


def without_training(train: np.ndarray, seed: int) -> dict[str, Detector]:
    """The rivals that need nothing but the pixels of training images."""
    return {
        "nearest": nearest(train, pixels, torch.device("cpu")),
        "cosine": nearest(train, directions, torch.device("cpu")),
        "pca": pca(train),
        "forest": forest(train, seed),
        "svm": svm(train),
        "ink": ink(train),
    }
