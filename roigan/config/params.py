"""All of params.yaml as one frozen object: its blocks, and what must hold between them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import Field, model_validator

from roigan.config.blocks import (
    Block,
    DataParams,
    FeatureParams,
    LossParams,
    MaskParams,
    ModelParams,
    PenaltyParams,
    RegisterParams,
    TrainParams,
)
from roigan.config.evaluation import ControlParams, EvaluateParams, Gate
from roigan.config.inference import ProjectParams, SearchParams
from roigan.config.tuning import TuneParams


class Params(Block):
    """All of params.yaml; each system narrows `model` and `losses` (`systems/`)."""

    data: DataParams
    masks: MaskParams
    features: FeatureParams
    model: ModelParams
    losses: LossParams
    penalty: PenaltyParams = PenaltyParams()
    train: TrainParams
    prior: dict[str, dict[str, Any]] | None = None
    """The blocks `model`, `losses`, `penalty` and `train` of the model that the stage `prior` trains first:
    `model` and `losses` whole, of the others what differs. None: there is none."""
    search: SearchParams = SearchParams()
    project: ProjectParams = ProjectParams()
    register_: RegisterParams = Field(default=RegisterParams(), alias="register")
    evaluate: EvaluateParams = EvaluateParams()
    control: ControlParams = ControlParams()
    gates: list[Gate] = Field(default_factory=list)
    tune: TuneParams = TuneParams()

    @model_validator(mode="after")
    def _networks_fit_the_images(self) -> Params:
        size, sides = self.data.image_size, self.model.sides
        if size not in sides:
            known = ", ".join(map(str, sides))
            raise ValueError(f"data.image_size: {self.model.system} is built for {known} (got {size})")
        return self

    @model_validator(mode="after")
    def _colours_to_generate(self) -> Params:
        if self.model.coordinates != "identity" and self.data.channels != 3:
            raise ValueError("model.space: lab needs colours, but data.channels is 1; set it to 3")
        return self

    @model_validator(mode="after")
    def _families_fit_what_is_generated(self) -> Params:
        families = {*self.masks.evaluate, *(name for name, weight in self.masks.train.items() if weight)}
        if "grey" in families and self.model.coordinates == "identity":
            raise ValueError("masks: grey asks for colours alone; set model.space: lab, or take whole")
        if "whole" in families and self.model.needs_context:
            raise ValueError(f"masks: whole leaves nothing known, and {self.model.system} completes pictures")
        rows, size = self.masks.known_rows(self.data.image_size), self.data.image_size
        if "top" in families and not 0 < rows < size:
            raise ValueError(
                f"masks: top keeps known_share of all rows, which is {rows} of {size}; change it"
            )
        return self

    @model_validator(mode="after")
    def _gates_are_measured(self) -> Params:
        for gate in self.gates:
            if gate.mask and gate.mask not in self.masks.evaluate:
                raise ValueError(f"gates: mask {gate.mask!r} is not in masks.evaluate")
        return self

    def fingerprint(self, *blocks: str) -> str:
        """Hash of the named blocks: 16 hexadecimal digits. Where none is named, of all that a model is made
        by: of all blocks but `tune`."""
        content = self.model_dump(mode="json", by_alias=True)
        chosen = {name: content[name] for name in blocks or content if blocks or name != "tune"}
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:16]
