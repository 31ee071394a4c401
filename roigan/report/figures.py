"""The report's figures: completions beside their rivals, slider sweeps, loss curves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from roigan.corruptions.cache import load_cache
from roigan.corruptions.corruption import Corruption
from roigan.evaluation.methods import Completer
from roigan.evaluation.metrics import constraints
from roigan.images.arrays import to_float, to_uint8
from roigan.images.grids import grid
from roigan.systems.model import Model

TILE = 128  # pixels that a tile is enlarged to at most: whole multiples only, pixels stay pixels
FONT = 28  # size of the row names: still legible where a telephone shrinks the figure to a third
MET, MISSED = (0, 200, 70), (240, 30, 30)  # colours of known pixels
GREY = 0.0  # what a removed region looks like, on the scale [-1, 1]
POSITIONS = 9  # of a slider, from -1 to 1


def pick(images: np.ndarray, cache: Path, count: int) -> tuple[Tensor, Tensor]:
    """Images spread evenly over a set, each with a mask of the evaluation.

    images: uint8 [N, H, W, C]; cache: the family's masks. Returns x [n, C, H, W], M [n, 1, H, W], n <= count.
    """
    rows = np.unique(np.linspace(0, len(images) - 1, count).astype(int))
    masks = load_cache(cache)
    return to_float(images[rows]), masks[torch.from_numpy(rows) % len(masks)]


def comparison(
    methods: Mapping[str, Completer],
    x: Tensor,
    M: Tensor,
    seed: int,
    free: Mapping[str, Completer] = {},
    space: str = "identity",
) -> np.ndarray:
    """Figure 4.3 for one mask family: the images, the same without their region, then one row per method.

    free: methods that may change known pixels, which are green in their rows where they are met and red where
    they are not (figure 4 of Ruffino et al. 2019).
    """
    rows = {"real": _coloured(x), "masked": _coloured(_removed(x, M, space))}
    for name, complete in methods.items():
        rows[name] = _coloured(complete(x, M, _generator(seed)))
    for name, generate in free.items():
        G = generate(x, M, _generator(seed))
        known, met = M[:, 0] < 0.5, constraints.met(G, x)[:, 0]
        rows[name] = _coloured(G)
        rows[name][known & met], rows[name][known & ~met] = MET, MISSED
    return labelled(rows)


def more(complete: Completer, x: Tensor, M: Tensor, seed: int, space: str = "identity") -> np.ndarray:
    """Figure 4.4: images, the same without their region, and completed, in two blocks one above the other."""
    rows = {"real": x, "masked": _removed(x, M, space), "completed": complete(x, M, _generator(seed))}
    half = -(-len(x) // 2)
    blocks = [slice(0, half), slice(half, None)] if half < len(x) else [slice(None)]
    return _stack([labelled({name: to_uint8(y[some]) for name, y in rows.items()}) for some in blocks])


def sliders(model: Model, x: Tensor, M: Tensor, seed: int) -> np.ndarray:
    """Figures 4.5 and A.3 for one image: each slider from -1 to 1, the others 0, z0 and the codes fixed.

    x: [1, C, S, S], M: [1, 1, S, S]. The number beside a control says how far it moves the region: the mean
    absolute difference inside M from the leftmost picture to the farthest, in grey levels of 255.
    """
    c = torch.zeros(model.sliders, POSITIONS, model.sliders)
    for slider in range(model.sliders):
        c[slider, :, slider] = torch.linspace(-1, 1, POSITIONS)
    k = torch.zeros(POSITIONS, model.codes, dtype=torch.long)
    return _swept(model, x, M, seed, {f"c{i}": (rows, k) for i, rows in enumerate(c)})


def codes(model: Model, x: Tensor, M: Tensor, seed: int) -> np.ndarray:
    """The same for the codes: each through all its values, the others at their first, the sliders 0."""
    k = torch.zeros(model.codes, model.values, model.codes, dtype=torch.long)
    for code in range(model.codes):
        k[code, :, code] = torch.arange(model.values)
    c = torch.zeros(model.values, model.sliders)
    return _swept(model, x, M, seed, {f"k{i}": (c, rows) for i, rows in enumerate(k)})


@torch.no_grad()
def _swept(
    model: Model, x: Tensor, M: Tensor, seed: int, controls: Mapping[str, tuple[Tensor, Tensor]]
) -> np.ndarray:
    """One row per name: the image completed under each (c [n, sliders], k [n, codes]) with the same z0."""
    rows: dict[str, np.ndarray] = {}
    for name, (c, k) in controls.items():
        n = len(c)
        # the same seed draws the same z0 for every position
        z = torch.cat([model.latent(1, _generator(seed), c[i], k[i]) for i in range(n)])
        y = model.complete(x.expand(n, -1, -1, -1), M.expand(n, -1, -1, -1), z)
        moved = ((y - y[:1]).abs() * M).flatten(1).sum(1).max() / (M.sum() * y.shape[1]).clamp(min=1) * 127.5
        rows[f"{name}  {moved:.1f}"] = to_uint8(y)
    return labelled(rows)


def losses(history: pd.DataFrame, dead: float) -> Figure:
    """One small panel per loss term over the steps.

    history: a column `step` and columns named PLAYER/TERM. dead: value of D/adv at which D tells nothing
    apart; drawn as a line.
    """
    terms = [name for name in history.columns if "/" in name]
    columns = 3
    rows = max(1, math.ceil(len(terms) / columns))
    figure = Figure(figsize=(7.2, 1.7 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).flat
    for panel in panels:
        panel.set_axis_off()
    for panel, term in zip(figure.axes, terms, strict=False):
        panel.set_axis_on()
        panel.plot(
            history["step"],
            history[term],
            color="#b3541e" if term.startswith("D") else "#1f5f8b",
            linewidth=1.4,
            marker="." if len(history) < 3 else None,
        )
        panel.set_title(term, fontsize=11, loc="left")
        panel.tick_params(labelsize=9)
        panel.spines[["top", "right"]].set_visible(False)
        if term == "D/adv":
            panel.axhline(dead, color="#777777", linestyle="--", linewidth=1)
            panel.annotate(
                f"{dead:.3g}: a dead discriminator", (1, dead), xycoords=("axes fraction", "data"),
                xytext=(0, 3), textcoords="offset points", ha="right", fontsize=9, color="#555555",
            )  # fmt: skip
            if dead:  # the loss of a critic has no floor
                panel.set_ylim(0, max(1.15 * dead, float(history[term].max()) * 1.05))
    return figure


def matrix(values: pd.DataFrame) -> Figure:
    """Which slider is read where which was set: |correlation|, rows set, columns read; 1 on the diagonal and
    0 beside it is best."""
    figure = Figure(figsize=(5.2, 4.4), layout="constrained")
    panel = figure.subplots()
    shown = panel.imshow(values.to_numpy(), vmin=0, vmax=1, cmap="Greys")
    panel.set_xticks(range(values.shape[1]), list(values.columns))
    panel.set_yticks(range(len(values)), list(values.index))
    panel.set_xlabel("read")
    panel.set_ylabel("set")
    figure.colorbar(shown, ax=panel, label="|correlation|")
    return figure


def labelled(rows: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows of images with their names to the left, on white.

    rows: name -> uint8 [n, H, W, C], the same n in every row; returns a uint8 picture [H', W', 3].
    """
    images = np.concatenate(list(rows.values()))
    n = len(next(iter(rows.values())))
    scale = max(1, TILE // images.shape[1])
    tiles = grid(images.repeat(scale, axis=1).repeat(scale, axis=2), n)
    font = ImageFont.load_default(size=FONT)
    width = 20 + math.ceil(max(font.getlength(name) for name in rows))
    picture = Image.new("RGB", (width + tiles.shape[1], tiles.shape[0]), "white")
    picture.paste(Image.fromarray(tiles), (width, 0))
    draw = ImageDraw.Draw(picture)
    pitch = tiles.shape[0] / len(rows)
    for i, name in enumerate(rows):
        draw.text((width - 10, (i + 0.5) * pitch), name, fill="#333333", font=font, anchor="rm")
    return np.asarray(picture)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _coloured(x: Tensor) -> np.ndarray:
    """[N, C, S, S] -> uint8 [N, S, S, 3]."""
    return np.broadcast_to(to_uint8(x), (len(x), *x.shape[2:], 3)).copy()


def sheet(images: np.ndarray) -> np.ndarray:
    """Images uint8 [N, S, S, C] in a square, enlarged by whole multiples."""
    scale = max(1, TILE // 2 // images.shape[1])
    return grid(images.repeat(scale, 1).repeat(scale, 2), math.ceil(math.sqrt(len(images))))


def _removed(x: Tensor, M: Tensor, space: str) -> Tensor:
    """What is left of images: generated coordinates are grey."""
    return Corruption.region(space, M).joined(x, torch.full_like(x, GREY))


def _stack(pictures: list[np.ndarray]) -> np.ndarray:
    width = max(picture.shape[1] for picture in pictures)
    padded = [
        np.pad(picture, ((0, 8), (0, width - picture.shape[1]), (0, 0)), constant_values=255)
        for picture in pictures
    ]
    return np.concatenate(padded)
