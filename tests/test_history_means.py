"""Means over digits: every digit counts alike, and what is compared has been measured on the same ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.history_means import means


def test_digits_count_alike_and_leads_are_of_pairs() -> None:
    measured = {
        ("digit 0", 0): (0.9, 0.5), ("digit 0", 1): (0.7, 0.5), ("digit 0", 2): (0.8, 0.5),
        ("digit 1", 0): (0.2, 0.4), ("digit 2", 0): (None, 0.9),
    }  # fmt: skip
    rows = [
        {"project": project, "seed": seed, "method": method, "ap": ap, "auroc": ap}
        for (project, seed), values in measured.items()
        for method, ap in zip(("mine", "other"), values, strict=True)
        if ap is not None
    ]
    table = means(pd.DataFrame(rows), "mine", np.random.default_rng(0)).set_index("method")
    assert table.loc["mine", "ap"] == pytest.approx((0.8 + 0.2) / 2)  # not the mean of four runs
    assert table.loc["other", "ap"] == pytest.approx((0.5 + 0.4 + 0.9) / 3)
    assert table.loc["other", "lead"] == pytest.approx((0.3 - 0.2) / 2)  # digit 2 is no pair
    assert (table.loc["mine", "digits"], table.loc["mine", "n"]) == (2, 4)
    assert table.loc["mine", "low"] == pytest.approx(0.2)  # both draws are digit 1
    assert 0.8 <= table.loc["mine", "high"] <= 0.9
