"""Means of a table of `benchmarks.history_ad` over its digits, with an interval over digits and seeds.

    python -m benchmarks.history_means docs/results/history-ad.csv [--set anomalous] [--against remembering]

Methods that were measured on fewer images, and so at another base rate, are left out.
A draw takes as many digits as there are, with repetition, and of each one of its seeds. `lead` is how far the
method --against is ahead of another one, on the digits and seeds that both have been measured on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

DRAWS = 2000
ENDS = (0.025, 0.975)
PROJECTS = "digit "  # what the names of those begin with over which the mean is taken


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--set", default="anomalous")
    parser.add_argument("--against", default="remembering")
    arguments = parser.parse_args()
    rows = pd.read_csv(arguments.table)
    rows = rows[(rows["mask"] == arguments.set) & rows["project"].str.startswith(PROJECTS)]
    rows = rows[rows["n"] == rows.groupby(["project", "seed"])["n"].transform("max")]
    print(means(rows, arguments.against, np.random.default_rng(0)).round(3).to_string(index=False))


def means(rows: pd.DataFrame, against: str, random: np.random.Generator) -> pd.DataFrame:
    """A row per method, the best first; rows: columns project, seed, method, ap, auroc."""
    keys = ["project", "seed"]
    ap, auroc = (rows.pivot_table(index=keys, columns="method", values=name) for name in ("ap", "auroc"))
    found = []
    for method in ap.columns:
        own = ap[method].dropna()
        low, high = interval(own, random)
        row = {"method": method, "digits": own.index.get_level_values("project").nunique(), "n": len(own)}
        row |= {"ap": over_digits(own), "low": low, "high": high}
        row["auroc"] = over_digits(auroc[method].dropna())
        lead = (ap[against] - ap[method]).dropna()
        if method != against and len(lead):
            low, high = interval(lead, random)
            row |= {"lead": over_digits(lead), "lead_low": low, "lead_high": high}
        found.append(row)
    return pd.DataFrame(found).sort_values("ap", ascending=False)


def over_digits(values: pd.Series) -> float:
    """Every digit counts alike, however many seeds it has."""
    return float(values.groupby(level="project").mean().mean())


def interval(values: pd.Series, random: np.random.Generator) -> tuple[float, float]:
    """Of 95 %."""
    by_digit = [group.to_numpy() for _, group in values.groupby(level="project")]
    drawn = [
        np.mean([random.choice(by_digit[i]) for i in random.integers(len(by_digit), size=len(by_digit))])
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(drawn, ENDS)
    return float(low), float(high)


if __name__ == "__main__":
    main()
