"""The gates before promotion: what an evaluation table must show before `champion` moves to a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from roigan.config import Gate


def judge(gates: Sequence[Gate], table: pd.DataFrame, method: str) -> list[dict[str, Any]]:
    """Each gate with what was found: gate (a sentence), value, bound, passed.

    table: as `evaluate` returns it; method: whose promotion it is. A value or bound that is not a number
    passes no gate.
    """
    values = {(row["method"], row["mask"]): row for row in table.to_dict("records")}
    found = []
    for gate in gates:
        side, bound = ("below", gate.below) if gate.below is not None else ("above", gate.above)
        value = float(values[method, gate.mask][gate.metric])
        named = f" {bound}" if isinstance(bound, str) else ""
        limit = float(values[bound, gate.mask][gate.metric]) if isinstance(bound, str) else float(bound or 0)
        passed = value < limit if side == "below" else value > limit
        found.append(
            {
                "gate": f"{gate.metric} under {gate.mask} {side}{named or f' {limit:g}'}",
                "value": value,
                "bound": limit,
                "passed": bool(passed),
            }
        )
    return found
