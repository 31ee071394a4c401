"""The report's figures of a model that scores: where its scores lie, over noise, and between two samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from roigan.evaluation.detectors import Detector
from roigan.evaluation.foreign import NOISE
from roigan.images.arrays import to_uint8
from roigan.systems.model import Model

STEPS = 9  # of a way between two samples
PAIRS = 200  # of samples
INK, FOREIGN, FAINT = "#1f5f8b", "#b3541e", "#777777"


def histograms(normal: Tensor, foreign: Mapping[str, Tensor], threshold: float) -> Figure:
    """Scores of test images [N] beside those of every set [A]; a line at the threshold that 95 % of normal
    validation images pass."""
    columns = min(3, len(foreign))
    rows = -(-len(foreign) // columns)
    figure = Figure(figsize=(7.2, 1.9 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(foreign) :]:
        panel.set_axis_off()
    for panel, (name, scores) in zip(panels, foreign.items(), strict=False):
        both = torch.cat([normal, scores]).numpy()
        bins = np.linspace(np.quantile(both, 0.002), np.quantile(both, 0.998), 50)
        panel.hist(normal.numpy(), bins, density=True, color=INK, alpha=0.6, label="test")
        panel.hist(scores.numpy(), bins, density=True, color=FOREIGN, alpha=0.6, label=name)
        panel.axvline(threshold, color=FAINT, linestyle="--", linewidth=1)
        panel.set_title(name, fontsize=11, loc="left")
        _plain(panel)
    return figure


def over_noise(normal: Tensor, foreign: Mapping[str, Tensor]) -> Figure:
    """Median and quartiles of the scores over the standard deviation of the noise on test images."""
    at = [0.0, *NOISE]
    found = [normal, *(foreign[f"noise_{sigma:g}"] for sigma in NOISE)]
    low, middle, high = ([scores.quantile(share).item() for scores in found] for share in (0.25, 0.5, 0.75))
    figure = Figure(figsize=(7.2, 2.4), layout="constrained")
    panel = figure.subplots()
    panel.fill_between(at, low, high, color=INK, alpha=0.2, linewidth=0)
    panel.plot(at, middle, color=INK, marker="o")
    if "uniform" in foreign:
        panel.axhline(foreign["uniform"].median().item(), color=FOREIGN, linestyle="--", linewidth=1)
        panel.annotate("uniform noise", (at[-1], foreign["uniform"].median().item()), ha="right", fontsize=9)
    panel.set_xlabel("noise, standard deviation on [-1, 1]", fontsize=9)
    panel.set_ylabel("score", fontsize=9)
    _plain(panel)
    return figure


def between(model: Detector, prior: Model, seed: int) -> Figure:
    """The mean score on the way from one sample of the prior to another: on the line between the latent
    vectors, halfway of which is nearer to 0 than the prior ever is, and on the line at constant length."""
    ways = interpolated(model, prior, seed)
    figure = Figure(figsize=(7.2, 2.4), layout="constrained")
    panel = figure.subplots()
    for (name, scores), colour in zip(ways.items(), (FOREIGN, INK), strict=True):
        panel.plot(np.linspace(0, 1, STEPS), scores.mean(0), color=colour, marker="o", label=name)
    panel.set_xlabel("from one sample to another", fontsize=9)
    panel.set_ylabel("score", fontsize=9)
    panel.legend(fontsize=9, frameon=False)
    _plain(panel)
    return figure


def interpolated(model: Detector, prior: Model, seed: int) -> dict[str, Tensor]:
    """Scores [pairs, steps] of G((1-t) z1 + t z2), and of the same with z brought to the length that it has
    between those of z1 and z2."""
    generator = torch.Generator().manual_seed(seed)
    z1, z2 = (prior.latent(PAIRS, generator)[:, None] for _ in range(2))  # [P, 1, Z]
    t = torch.linspace(0, 1, STEPS)[None, :, None]
    line = (1 - t) * z1 + t * z2  # [P, steps, Z]
    length = (1 - t) * z1.norm(dim=2, keepdim=True) + t * z2.norm(dim=2, keepdim=True)
    ways = {"straight line": line, "at constant length": line * length / line.norm(dim=2, keepdim=True)}
    return {name: _scores(model, prior, z) for name, z in ways.items()}


def _scores(model: Detector, prior: Model, z: Tensor) -> Tensor:
    images = np.concatenate([to_uint8(prior.generate(part)) for part in z.flatten(0, 1).split(256)])
    scores = model.score(images)
    assert isinstance(scores, Tensor), "one method"
    return scores.view(z.shape[:2])


def extremes(images: np.ndarray, scores: Tensor, count: int) -> Sequence[np.ndarray]:
    """The images with the lowest scores, and with the highest, uint8 [count, S, S, C] each."""
    order = scores.argsort().numpy()
    return images[np.sort(order[:count])], images[np.sort(order[-count:])]


def rasterised(figure: Figure) -> np.ndarray:
    """A figure as a picture, uint8 [H, W, 3]."""
    figure.set_dpi(130)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _plain(panel: object) -> None:
    panel.tick_params(labelsize=9)  # type: ignore[attr-defined]
    panel.spines[["top", "right"]].set_visible(False)  # type: ignore[attr-defined]
