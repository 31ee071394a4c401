"""The pixel-wise penalty inside RoI-GAN: scattered known pixels of colour images, over the share and lam.

    python -m benchmarks.known_pixels

Works in a project folder whose stages `prepare` and `features` have run (faces at 32 px: docs/decisions.md),
and appends to docs/results/known-pixels.csv. `whole` is G's own image, whose known pixels may differ;
`exact` the completed one, whose known pixels are put back: the hard projection.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.trial import run_all, scored, trained
from roigan.config import Params
from roigan.evaluation.methods import generated, whole

SHARES, LAMS = (0.005, 0.01, 0.05), (0.0, 0.1, 1.0, 10.0)
SCATTERED = {"masks.train": {"scattered": 1.0}, "train.steps": 428}


def main() -> None:
    variants: dict[str, dict[str, Any]] = {
        f"known {share:g}, lam {lam:g}": {**SCATTERED, "masks.known_share": share, "losses.known": lam}
        for share in SHARES
        for lam in LAMS
    }
    run_all(variants, Path("docs/results/known-pixels.csv"), run=run)


def run(name: str, params: Params) -> dict[str, Any]:
    """Train; the scores of G's whole image, and the FID and border of the completed one."""
    model, _, failure = trained(name, params)
    if not model:
        return {"failure": failure}
    table = scored(params, ["scattered"], {"exact": generated(model)}, {"whole": whole(model)})
    table = table.set_index("method")
    scores = {f"{metric}_whole": table[metric]["whole"] for metric in ("fid", "mse_known", "satisfied")}
    scores |= {f"{metric}_exact": table[metric]["exact"] for metric in ("fid", "border", "diversity")}
    return {"steps": params.train.steps, "known": params.masks.known_share, **scores}


if __name__ == "__main__":
    main()
