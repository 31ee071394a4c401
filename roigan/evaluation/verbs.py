"""What a trained model is evaluated by: a table per verb. Choosing is a dict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from roigan.evaluation import completion, generation
from roigan.evaluation.methods import generated


class Verb(NamedTuple):
    """How a verb is measured. A method is a completion, or a sampler, as the verb has it."""

    own: Callable[..., Any]
    """own(model) -> the model's method."""
    methods: Callable[..., dict[str, Any]]
    """methods(params, model, training images) -> the model and its rivals, by name."""
    measure: Callable[..., completion.Evaluation]
    """measure(methods, test images, masks, features, params.evaluate, space=...)."""


VERBS = {
    "complete": Verb(generated, completion.methods, completion.measure),
    "generate": Verb(generation.sampled, generation.methods, generation.measure),
}
