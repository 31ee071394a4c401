"""What a trained model is evaluated by: a table per verb. Choosing is a dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from roigan.config import Params
from roigan.evaluation import completion, detection, generation, projection
from roigan.evaluation.exam import Evaluation, Exam
from roigan.systems.model import Model

FROM_NOTHING = "whole"  # the family that leaves nothing known: to complete it is to generate


class Verb(NamedTuple):
    """How a verb is measured. A method is a completion, or a sampler, as the verb has it."""

    own: Callable[[Params, Model], Any]
    """The model's method."""
    methods: Callable[[Params, Model, np.ndarray], dict[str, Any]]
    """(params, model, training images) -> the model and its rivals, by name."""
    table: Callable[[Mapping[str, Any], Exam], Evaluation]
    """(competitors by name, what they are examined on) -> what came of it."""


VERBS = {
    "complete": Verb(completion.own, completion.methods, completion.table),
    "generate": Verb(generation.own, generation.methods, generation.table),
    "score": Verb(detection.own, detection.methods, detection.table),
    "project": Verb(projection.own, projection.methods, projection.table),
}


def asked(model: Model, families: Sequence[str]) -> dict[str, list[str]]:
    """By which verb a model is measured under which families of masks.

    One that generates does so under `whole`, and completes the others by a search.
    """
    if "generate" not in model.verbs:
        return {model.verbs[0]: list(families)}
    parts = {
        "generate": [family for family in families if family == FROM_NOTHING],
        "complete": [family for family in families if family != FROM_NOTHING],
    }
    return {verb: mine for verb, mine in parts.items() if mine}


def measure(methods: Callable[[str], Mapping[str, Any]], exam: Exam) -> Evaluation:
    """All that is asked of a model in one table; methods: verb -> the competitors by name."""
    parts = [
        VERBS[verb].table(methods(verb), exam._replace(masks={family: exam.masks[family] for family in mine}))
        for verb, mine in asked(exam.model, list(exam.masks)).items()
    ]
    scored = {key: images for part in parts for key, images in part.scored.items()}
    return Evaluation(pd.concat([part.table for part in parts], ignore_index=True), scored)
