"""The registered model as MLflow runs it ("models from code"): asked for its first verb (`answers.py`).

What cannot be served is refused with the reason, as an error that MLflow's server answers with 400.
"""

from __future__ import annotations

from typing import Any

import mlflow.pyfunc
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.models.utils import _enforce_params_schema
from mlflow.pyfunc.model import PythonModel

from roigan.errors import UserError
from roigan.systems.model import Model
from roigan.tracking.answers import ANSWERS

PARAMETERS = {"seed", "c", "k"}


class Served(PythonModel):
    """A model folder behind MLflow's interface."""

    # the signature is written by hand; without this MLflow warns at every load that it cannot infer one
    _skip_type_hint_validation = True

    def load_context(self, context: Any) -> None:
        self.model = Model.load(context.artifacts["model"])

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # see above
        """What the model's first verb makes of it; MlflowException (400) for what cannot be done."""
        try:
            return ANSWERS[self.model.verbs[0]](self.model, model_input, params or {})
        except UserError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None


def refuse_unknown(params: Any, schema: Any) -> Any:
    """MLflow's own check, which drops parameters that it does not know: a typo would pass for a default."""
    known = {spec.name for spec in schema.params} if schema else set()
    if known == PARAMETERS and isinstance(params, dict) and (unknown := set(params) - known):
        names = ", ".join(sorted(map(str, unknown)))
        raise MlflowException.invalid_parameter_value(
            f"unknown parameters: {names}; known are {', '.join(sorted(known))}"
        )
    return _enforce_params_schema(params, schema)


mlflow.pyfunc._enforce_params_schema = refuse_unknown  # type: ignore[attr-defined]  # no public place for it
set_model(Served())
