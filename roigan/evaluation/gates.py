"""The gates before promotion: what an evaluation table must show before `champion` moves to a model."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from roigan.config import EvaluateParams, Gate
from roigan.evaluation.bootstrap import Ranked, Scored, deviation, ranked_deviation

PREFIX = {"sliders": "c", "codes": "k"}  # of their names in the table of controls


def judge(
    gates: Sequence[Gate],
    table: pd.DataFrame,
    method: str,
    scored: Mapping[tuple[str, str], Scored | Ranked],
    params: EvaluateParams,
    control: pd.DataFrame,
) -> list[dict[str, Any]]:
    """Each gate with what was found: gate (a sentence), value, bound, uncertainty, passed.

    table, scored: as `measure` returns them; method: whose promotion it is; control: as `examine` returns it.
    A gate must hold at the worse end of the confidence interval of value - bound, which reaches `uncertainty`
    to either side (None: not known for this metric, the values stand as they are). A value or bound that is
    missing or not a number passes no gate.
    """
    measured = table.set_index(["method", "mask"])
    width = statistics.NormalDist().inv_cdf((1 + params.confidence) / 2)  # in standard deviations
    found = []
    for gate in gates:
        side, bound = ("below", gate.below) if gate.below is not None else ("above", gate.above)
        rival = bound if isinstance(bound, str) else None
        value = read(control, gate.control) if gate.control else _value(measured, method, gate)
        limit = _value(measured, rival, gate) if rival else float(bound or 0)
        spread = _deviation(gate, method, rival, scored, params)
        better = limit - value if side == "below" else value - limit
        demanded = (rival or f"{limit:g}") + (f" by {gate.margin:g}" if gate.margin else "")
        found.append(
            {
                "gate": f"{_subject(gate)} {side} {demanded}",
                "value": value,
                "bound": limit,
                "uncertainty": None if spread is None else width * spread,
                "passed": better - width * (spread or 0) > gate.margin,
            }
        )
    return found


def read(control: pd.DataFrame, kind: str) -> float:
    """What a reader makes of the sliders (median R2) or the codes (median accuracy); nan: there are none."""
    return float(control.loc[control["control"].str.startswith(PREFIX[kind]), "read"].median())


def _subject(gate: Gate) -> str:
    if gate.control:
        return f"{gate.control} read"
    return f"{gate.metric} {'on' if gate.set else 'under'} {gate.under}"


def _value(measured: pd.DataFrame, method: str, gate: Gate) -> float:
    row = (method, str(gate.under))
    known = gate.metric is not None and gate.metric in measured
    return float(measured[gate.metric].get(row, math.nan)) if known else math.nan


def _deviation(
    gate: Gate,
    method: str,
    rival: str | None,
    scored: Mapping[tuple[str, str], Scored | Ranked],
    params: EvaluateParams,
) -> float | None:
    if gate.metric is None:
        return None
    mine, other, real = (scored.get((name, str(gate.under))) for name in (method, rival or method, "real"))
    if isinstance(mine, Ranked) and isinstance(other, Ranked):
        return ranked_deviation(gate.metric, mine, other if rival else None, params.bootstrap, params.seed)
    if not (isinstance(mine, Scored) and isinstance(other, Scored) and isinstance(real, Scored)):
        return None
    return deviation(
        gate.metric, mine, other if rival else None, real.embedded, params.bootstrap, params.seed
    )


def summary(gates: Sequence[Mapping[str, Any]]) -> str:
    """One line: the gates that fail, or that all hold."""
    failed = [
        f"{gate['gate']} fails ({gate['value']:.4g} against {gate['bound']:.4g}"
        + ("" if gate["uncertainty"] is None else f" ± {gate['uncertainty']:.2g}")
        + ")"
        for gate in gates
        if not gate["passed"]
    ]
    return "; ".join(failed) or (f"{len(gates)} of {len(gates)} gates hold" if gates else "no gate applies")
