"""Theorem 2 of Prach (2018) on digits: do fillings of one x_0 have the labels that digits with this x_0 have?

Every filling is read by a linear reader on the embedding of stage `features`. What a digit with a given x_0
may be is said by a classifier of x_0 alone, which is the floor; what memory says, by the labels of the
training digits whose x_0 are nearest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from torch import Tensor

from roigan.evaluation.methods import Completer
from roigan.features.network import load_features
from roigan.files import paths
from roigan.images.arrays import load_labels, load_split, to_float, to_uint8

IMAGES, FILLINGS, NEIGHBOURS = 200, 40, 50
LEARNT = 20_000  # training images that the reader learns from
POSSIBLE, IMPOSSIBLE = 0.1, 0.01  # what the classifier of x_0 gives a label at least, or at most
FLOOR, MEMORY, DRAWN = "classifier of x_0", f"{NEIGHBOURS} nearest x_0", "drawn from the classifier"


class Labels:
    """The test's x_0 under one mask, and what their labels may be."""

    def __init__(self, folder: Path, M: Tensor) -> None:
        """M: [1, 1, S, S], the mask of all images."""
        prepared = folder / paths.PREPARED
        train, test = (np.asarray(load_split(prepared, split)) for split in ("train", "test"))
        labels, true = (load_labels(prepared, split) for split in ("train", "test"))
        assert labels is not None
        assert true is not None
        self.x, self.true = to_float(test[:IMAGES]), true[:IMAGES]
        self.M = M.expand(IMAGES, -1, -1, -1)
        self.features = load_features(folder / paths.FEATURES)
        self.reader = LogisticRegression(max_iter=300).fit(
            self.features.embed_images(train[:LEARNT]), labels[:LEARNT]
        )
        held = self.features.embed_images(test[-IMAGES:])
        self.accuracy = float(self.reader.score(held, true[-IMAGES:]))
        known = M[0, 0].numpy() < 0.5
        x_0, mine = ((images[:, known] / 255).reshape(len(images), -1) for images in (train, test[:IMAGES]))
        classifier = MLPClassifier((256,), early_stopping=True, max_iter=20, random_state=0).fit(x_0, labels)
        self.possible = classifier.predict_proba(mine)  # [N, 10]
        distances = (x_0**2).sum(1) - 2 * mine @ x_0.T  # [N, training]
        nearest = np.argpartition(distances, NEIGHBOURS, 1)[:, :NEIGHBOURS]
        self.remembered = counts(labels[nearest].T)

    def scores(self, completion: Completer, repeats: int = FILLINGS) -> dict[str, float]:
        """Of FILLINGS fillings of every x_0, of which only so many are made: one, where all are the same."""
        generator = torch.Generator().manual_seed(0)
        read = [
            self.reader.predict(self.features.embed_images(to_uint8(completion(self.x, self.M, generator))))
            for _ in range(repeats)
        ]
        return self.of(counts(np.stack(read)) * (FILLINGS // repeats))

    def rivals(self) -> dict[str, dict[str, float]]:
        """The floor, by its probabilities and by labels drawn from them, and memory."""
        random = np.random.default_rng(0)
        drawn = np.stack([random.multinomial(FILLINGS, p / p.sum()) for p in self.possible])
        floor = -np.log(self.possible[np.arange(IMAGES), self.true]).mean()
        return {FLOOR: {"nll": floor}, DRAWN: self.of(drawn), MEMORY: self.of(self.remembered)}

    def of(self, found: np.ndarray) -> dict[str, Any]:
        """nll: mean -log q(true label), q smoothed by one; covered: share of the possible labels that were
        found; consistent: share of the labels found that are not impossible. found: counts [N, 10]."""
        q = (found + 1) / (found + 1).sum(1, keepdims=True)
        possible, impossible = self.possible >= POSSIBLE, self.possible <= IMPOSSIBLE
        return {
            "nll": -np.log(q[np.arange(IMAGES), self.true]).mean(),
            "covered": ((found > 0) & possible).sum() / possible.sum(),
            "consistent": 1 - (found * impossible).sum() / found.sum(),
        }


def counts(labels: np.ndarray) -> np.ndarray:
    """int [K, N] in 0..9 -> [N, 10]."""
    return np.stack([(labels == label).sum(0) for label in range(10)], 1)
