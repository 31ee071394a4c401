"""Stage `evaluate`: the registered model beside its rivals and the champion, the gates, and alias `champion`
if all of them hold."""

import json
from typing import Any

import pandas as pd
import torch

from roigan.config import load_params
from roigan.corruptions.cache import load_cache
from roigan.errors import exit_on_user_error
from roigan.evaluation.exam import Exam
from roigan.evaluation.gates import judge, summary
from roigan.evaluation.verbs import VERBS, measure
from roigan.features.network import load_features
from roigan.files import paths
from roigan.images.arrays import load_split
from roigan.systems.model import Model
from roigan.tracking import promotion, registry

PROMOTION, METRICS = paths.REPORTS / "promotion.json", paths.REPORTS / "metrics.json"


def main() -> None:
    params = load_params()
    # by its weights: alias `candidate` may have moved on to another experiment's model in the meantime, where
    # it stays; and a clone that pulled the artefacts has no registry yet
    version = registry.registered(params, paths.MODEL)
    name, sha256 = version.name, version.tags["sha256"]
    device = "cuda" if params.train.use_gpu and torch.cuda.is_available() else "cpu"
    model = Model.load(registry.download(version)).to(device)
    features = load_features(paths.JUDGE).to(device)
    train, test = (load_split(paths.PREPARED, split) for split in ("train", "test"))
    champion = promotion.champion(name)
    rival = champion if champion and champion.tags["sha256"] != sha256 else None
    other = Model.load(registry.download(rival)).to(device) if rival else None
    others = {registry.CHAMPION: other} if other and comparable(model, other) else {}

    def methods(verb: str) -> dict[str, Any]:
        """The model, its rivals and the champion."""
        own = VERBS[verb].own
        return VERBS[verb].methods(params, model, train) | {
            name: own(params, model) for name, model in others.items()
        }

    masks: dict[str, torch.Tensor] = {
        family: load_cache(paths.MASKS / f"{family}.npz") for family in params.masks.evaluate
    }
    table, scored = measure(methods, Exam(test, masks, features, params, model))
    table.to_csv(paths.EVALUATION, index=False, float_format="%.6g")

    mine = table[table["method"] == model.system].set_index("mask").drop(columns=["method", "n"])
    METRICS.write_text(
        json.dumps({mask: row.dropna().to_dict() for mask, row in mine.iterrows()}, indent=1) + "\n"
    )
    asked = [gate for gate in params.gates if rival or registry.CHAMPION not in (gate.below, gate.above)]
    gates = judge(asked, table, model.system, scored, params.evaluate, pd.read_csv(paths.CONTROL))
    promoted, reason = all(gate["passed"] for gate in gates), summary(gates)
    network = {"network": features.name, "sha256": features.sha256}
    verdict = {"name": name, "sha256": sha256, "promoted": promoted, "gates": gates, "features": network}
    PROMOTION.write_text(json.dumps(verdict, indent=1) + "\n")

    files, scale = [paths.EVALUATION, METRICS, PROMOTION], f"{features.name} {features.sha256[:16]}"
    registry.log_evaluation(version, table, model.system, files, scale)
    print(table.to_string(index=False, float_format="%.4g"))
    if promoted:
        promotion.promote(version, reason, champion)
    else:
        promotion.refuse(version, reason)
    outcome = "is champion" if promoted else "is not promoted"
    print(f"evaluate: {name}/{version.version} {outcome}: {reason}")


def comparable(model: Model, champion: Model) -> bool:
    """Whether the champion does the same with images of the same size; else the gates against it fail."""
    if champion.config.get("data") != model.config.get("data"):
        print("evaluate: the champion learnt from other data; it may have seen images of this test set")
    mine, its = ((each.image_size, each.channels, each.verbs[0]) for each in (model, champion))
    return mine == its


if __name__ == "__main__":
    exit_on_user_error(main)
