"""The block `tune` of params.yaml: what a search tries, what it seeks, and how much it may cost."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from roigan.config.blocks import Block, MaskFamily, Positive, Rate, Seed
from roigan.config.evaluation import MetricName, RankingName

Range = Annotated[list[float], Field(min_length=2, max_length=2)]
Values = Annotated[list[Any], Field(min_length=1)]

BLOCKS = ("model", "losses", "penalty", "train", "search")  # of a trial: nothing that is made before it
FIXED = ("train.steps", "train.report_every", "train.num_workers", "train.use_gpu")


RANKINGS = get_args(RankingName)


class Domain(Block):
    """Where the values of one parameter come from: one of these."""

    uniform: Range | None = None
    """Any number from the first to the second."""
    loguniform: Range | None = None
    """The same, evenly in the logarithm."""
    randint: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None
    """A whole number from the first, up to but without the second."""
    choice: Values | None = None
    """One of these."""
    grid: Values | None = None
    """Each of these, combined with each of every other grid where params.yaml allows both; for `method:
    random`."""

    @model_validator(mode="after")
    def _one_kind(self) -> Domain:
        if sum(values is not None for _, values in self) != 1:
            raise ValueError("one of uniform, loguniform, randint, choice, grid")
        for ends in (self.uniform, self.loguniform, self.randint):
            if ends and not ends[0] < ends[1]:
                raise ValueError(f"the first number must be below the second (got {ends})")
        if self.loguniform and self.loguniform[0] <= 0:
            raise ValueError(f"loguniform needs numbers above 0 (got {self.loguniform})")
        return self

    @property
    def kind(self) -> str:
        """`uniform`, `loguniform`, `randint`, `choice` or `grid`."""
        return next(name for name, values in self if values is not None)

    @property
    def extremes(self) -> list[Any]:
        """Values that must be valid if all are: the ends of a range, or every value."""
        if self.randint:
            return [self.randint[0], self.randint[1] - 1]
        return list(getattr(self, self.kind))


class Objective(Block):
    """A figure that the search improves, measured on validation images; which way is better is known."""

    metric: Literal[MetricName, RankingName, "mse_known", "satisfied", "control"]
    """A column of the evaluation (border, chroma: their distance from 1), or `control`: the nats that Q, in
    training, lacks to know sliders and codes."""
    mask: MaskFamily | None = None
    """The family of masks; `control` has none."""
    set: str | None = None
    """Where a model scores: a set that is made of validation images (`spoilt`), in place of a mask. What is
    truly anomalous chooses nothing."""

    @model_validator(mode="after")
    def _mask_or_set_where_needed(self) -> Objective:
        given = [name for name in ("mask", "set") if getattr(self, name)]
        if self.metric == "control" and given:
            raise ValueError(f"control takes no {given[0]}")
        needed = "set" if self.metric in RANKINGS else "mask"
        if self.metric != "control" and given != [needed]:
            raise ValueError(f"{self.metric} needs a {needed}" + (", not both" if len(given) > 1 else ""))
        return self

    @property
    def under(self) -> str | None:
        """What marks its row in a table: `mask`, or `set`."""
        return self.mask or self.set

    @property
    def name(self) -> str:
        """`fid_ellipse`, `ap_spoilt`; a column in the table of trials."""
        return f"{self.metric}_{self.under}" if self.under else self.metric


class TuneParams(Block):
    """The search (`pipelines/tune`): it changes nothing of a plain `dvc repro`."""

    trials: Positive = 12
    """How many; with grids, how often each combination. For pbt, the size of the population."""
    hours: Rate | None = None
    """After so long no trial goes on; None: all of them are run."""
    steps: Positive = 200
    """Of a trial that is not stopped."""
    report_every: Positive = 100
    """Steps between two measurements of a trial, after each of which it may be stopped."""
    method: Literal["optuna", "random"] = "optuna"
    """Who chooses the values: Optuna's TPE, which learns from earlier trials, or chance."""
    scheduler: Literal["asha", "pbt", "none"] = "asha"
    """asha stops the worse half at 1, 2, 4, ... times `report_every` steps (Li et al. 2018); pbt lets them go
    on with the weights of better ones and changed values (Jaderberg et al. 2017)."""
    space: dict[str, Domain] = Field(default_factory=dict)
    """By the dotted names of parameters: `losses.perceptual: {loguniform: [0.5, 50]}`."""
    objectives: list[Objective] = Field(default_factory=list)
    """The first decides which trial is stopped and which is best; with more, Optuna seeks the Pareto set."""
    images: Annotated[int, Field(ge=4)] = 300
    """Validation images that a trial is measured on, at most."""
    cpus: Rate = 1
    """Cores of a trial; as many trials run at once as there are cores."""
    gpus: Annotated[float, Field(ge=0)] = 0
    """GPUs of a trial; a fraction shares one."""
    retries: Annotated[int, Field(ge=0)] = 1
    """How often a trial that fails is tried again, from its last checkpoint."""
    seed: Seed = 0
    """Of the choice of values; a trial's own is train.seed."""
    applied: str | None = None
    """SEARCH/TRIAL that numbers in this file were taken from; every run carries it."""

    @model_validator(mode="after")
    def _methods_agree(self) -> TuneParams:
        if self.method == "optuna" and self.gridded:
            raise ValueError("tune: a grid needs `method: random`")
        if self.scheduler == "pbt" and (self.method != "random" or self.gridded):
            raise ValueError("tune: pbt needs `method: random` and no grid")
        if self.scheduler == "pbt" and (frozen := [key for key in self.space if key.startswith("model.")]):
            raise ValueError(f"tune: pbt passes weights on, so it cannot vary {frozen[0]}")
        if len({objective.name for objective in self.objectives}) < len(self.objectives):
            raise ValueError("tune: an objective is named twice")
        return self

    @property
    def trains_nothing(self) -> bool:
        """Whether trials differ in the block `search` alone: then all of them use the model that is there."""
        return bool(self.space) and all(key.startswith("search.") for key in self.space)

    @property
    def gridded(self) -> bool:
        """Whether the space holds a grid."""
        return any(domain.grid for domain in self.space.values())
