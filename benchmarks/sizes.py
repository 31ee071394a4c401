"""The size curve: FID, border, parameters and time per image of generators of several widths and depths.

    python -m benchmarks.sizes

Same steps, seed and data (see benchmarks/trial.py); appends to docs/results/sizes.csv and, once all sizes
are there, draws docs/images/sizes.png.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from matplotlib.figure import Figure

from benchmarks.completion import cost
from benchmarks.trial import FAMILIES, run_all
from roigan.config import changed, load_params

RESULTS = Path("docs/results/sizes.csv")
ROUNDS = 3
SIZES: dict[str, dict[str, Any]] = {
    f"width {width:g}, depth {depth}": {"model.width": width, "model.depth": depth}
    for width, depth in ((0.0625, 1), (0.125, 1), (0.25, 1), (0.5, 1), (0.25, 2))
}


def main() -> None:
    table = measured(run_all(SIZES, RESULTS))
    table.to_csv(RESULTS, index=False, float_format="%.4g")
    Path("docs/images").mkdir(parents=True, exist_ok=True)
    curve(table.sort_values("parameters")).savefig("docs/images/sizes.png", dpi=150)


def measured(table: pd.DataFrame) -> pd.DataFrame:
    """With parameters and time per image: of all sizes in one go, in turns, since machines drift."""
    base = load_params()
    kinds = [changed(base, SIZES[name]) for name in table["variant"]]
    rounds = [[cost(params, torch.device("cpu")) for params in kinds] for _ in range(ROUNDS)]
    rates = pd.DataFrame([[rate for rate, _ in found] for found in rounds]).median()
    parameters = [count for _, count in rounds[0]]
    return table.assign(parameters=parameters, milliseconds=(1000 / rates).to_numpy())


def curve(table: pd.DataFrame) -> Figure:
    """FID and time per image over the number of parameters, one point per size."""
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    fid, time = figure.subplots(1, 2)
    for family, colour in zip(FAMILIES, ("#b3541e", "#7a9a3a", "#8a6fa8"), strict=True):
        fid.plot(table["parameters"], table[f"fid_{family}"], color=colour, linewidth=1, label=family)
    fid.plot(table["parameters"], table["fid"], color="#1f5f8b", linewidth=2, marker="o", label="mean")
    fid.set_title("FID", fontsize=11, loc="left")
    fid.legend(frameon=False, fontsize=9)
    time.plot(table["parameters"], table["milliseconds"], color="#1f5f8b", linewidth=2, marker="o")
    time.set_title("milliseconds per image, one thread", fontsize=11, loc="left")
    for panel in (fid, time):
        panel.set_xscale("log")
        panel.set_xticks(table["parameters"], [f"{n / 1e6:.2g}" for n in table["parameters"]])
        panel.minorticks_off()
        panel.set_xlabel("parameters of G, millions", fontsize=9)
        panel.set_ylim(bottom=0)
        panel.tick_params(labelsize=9)
        panel.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    main()
