"""P-IDS and U-IDS: how often a linear judge takes a completed image for a real one (Zhao et al. 2021, "Large
Scale Image Completion via Co-Modulated Generative Adversarial Networks", section 4).

A linear support vector machine learns to tell features of real images from those of completed ones. U-IDS is
its error rate; P-IDS is the share of completed images that it finds more real than their own original, which
asks whether a filling fits its image. 0.5 is best for both, and what real images have. The paper judges the
samples that the machine learnt from; a few hundred images of a hundred features would then be separated by
chance, so here each half of the images is judged by the machine of the other half.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor


def p_ids_and_u_ids(completed: Tensor, real: Tensor) -> tuple[float, float]:
    """completed, real: features [N, F] of the same N >= 4 images, row by row -> (P-IDS, U-IDS).

    Ties count half. Rows are expected in random order: the first half and the second are judged crosswise.
    """
    half = len(real) // 2
    if half < 2:
        raise ValueError(f"P-IDS and U-IDS need at least 4 images, not {len(real)}")
    paired, unpaired = [], []
    parts = (slice(None, half), slice(half, None))
    for learnt, judged in (parts, parts[::-1]):
        judge = _fit(completed[learnt].double().numpy(), real[learnt].double().numpy())
        fake_score, real_score = (judge(side[judged].double().numpy()) for side in (completed, real))
        paired.append(_wins(fake_score - real_score))
        unpaired.append(np.concatenate([_wins(fake_score), _wins(-real_score)]))
    return float(np.concatenate(paired).mean()), float(np.concatenate(unpaired).mean())


def _wins(margin: np.ndarray) -> np.ndarray:
    """1 where the judge was deceived, half where it could not decide."""
    return np.heaviside(margin, 0.5)


def _fit(completed: np.ndarray, real: np.ndarray):  # type: ignore[no-untyped-def]
    """A judge: features [N, F] -> scores [N], positive for real."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    machine = make_pipeline(StandardScaler(), LinearSVC(C=0.01, dual=False))
    machine.fit(np.concatenate([completed, real]), np.repeat([0, 1], [len(completed), len(real)]))
    return machine.decision_function
