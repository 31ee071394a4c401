"""Figures 3 and 5 of Ruffino et al. (2019) from the sweep over lam."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

NAMES = {"mnist": "MNIST", "fashion": "Fashion-MNIST"}
BLUE = "#1f5f8b"
REFERENCES = {"cgan": ("CGAN", "#b3541e", "s"), "gan": ("GAN", "#7a9a3a", "^")}  # name, colour, marker


def curves(table: pd.DataFrame) -> Figure:
    """Figure 3: MSE and FID over lam, the median and all seeds but those far off.

    table: rows of docs/results/pixelwise.csv.
    """
    figure, panels = _panels(table, ("mse", "fid"))
    for (dataset, metric), panel in panels.items():
        rows = table[table["dataset"] == dataset]
        mine = rows[rows["system"] == "pixelwise"]
        medians = mine.groupby("lam")[metric].median()
        panel.plot(mine["lam"], mine[metric], ".", color=BLUE, alpha=0.3, markersize=5)
        panel.plot(medians.index, medians, color=BLUE, linewidth=2, marker="o", label="pixel-wise")
        references = [rows.loc[rows["system"] == system, metric].median() for system in REFERENCES]
        for value, (name, colour, _) in zip(references, REFERENCES.values(), strict=True):
            panel.axhline(value, color=colour, linewidth=1.2, linestyle="--", label=name)
        panel.set_xscale("log")
        panel.set_ylim(0, 1.5 * max(medians.max(), *references))  # a run that failed lies beyond
        panel.set_title(f"{NAMES[dataset]}: {metric.upper()}", fontsize=11, loc="left")
        if metric == "fid":
            panel.set_xlabel("lam", fontsize=9)
    next(iter(panels.values())).legend(frameon=False, fontsize=9)
    return figure


def trade_off(table: pd.DataFrame) -> Figure:
    """Figure 5: medians of MSE over FID, one point per lam; those that lie at CGAN's go without a label."""
    figure, panels = _panels(table, ("mse",))
    for (dataset, _), panel in panels.items():
        rows = table[table["dataset"] == dataset]
        medians = rows.groupby(["system", "lam"])[["fid", "mse"]].median()
        mine = medians.loc["pixelwise"]
        panel.plot(mine["fid"], mine["mse"], color=BLUE, linewidth=1, marker="o", label="pixel-wise, by lam")
        for lam, point in mine[mine["mse"] < 0.85 * medians.loc[("cgan", 0.0), "mse"]].iterrows():
            panel.annotate(f"{lam:g}", point.tolist(), (4, 4), textcoords="offset points", fontsize=8)
        for system, (name, colour, marker) in REFERENCES.items():
            point = medians.loc[(system, 0.0)]
            panel.plot(point["fid"], point["mse"], marker, color=colour, markersize=8, label=name)
        panel.set_title(NAMES[dataset], fontsize=11, loc="left")
        panel.set_xlabel("FID", fontsize=9)
        panel.set_ylabel("MSE at known pixels", fontsize=9)
        panel.margins(x=0.1)
        panel.set_ylim(bottom=0)
    next(iter(panels.values())).legend(frameon=False, fontsize=9)
    return figure


def _panels(table: pd.DataFrame, metrics: tuple[str, ...]) -> tuple[Figure, dict[tuple[str, str], Axes]]:
    """A column per data set, a row per metric."""
    datasets = [name for name in NAMES if name in set(table["dataset"])]
    figure = Figure(figsize=(3.7 * len(datasets), 0.8 + 2.5 * len(metrics)), layout="constrained")
    axes = figure.subplots(len(metrics), len(datasets), squeeze=False)
    for panel in axes.flat:
        panel.tick_params(labelsize=9)
        panel.spines[["top", "right"]].set_visible(False)
    return figure, {(d, m): axes[i, j] for i, m in enumerate(metrics) for j, d in enumerate(datasets)}
