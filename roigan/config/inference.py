"""The blocks of params.yaml that say how a trained model looks for a z: to complete, to project, to paint."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from roigan.config.blocks import Block, Positive, Rate, Weight


class SearchParams(Block):
    """How a model of whole images completes one: by a search for the z whose image fits what is known."""

    alpha: Weight = 0.5
    """Of the differences of known pixels (Yeh et al. 2017: 1)."""
    beta: Weight = 0.5
    """Of the differences of their gradients (Vitoria et al. 2019); Yeh: 0."""
    eta: Weight = 0.003
    """Of what D thinks of the image. The other two are sums over pixels, this is one number per image."""
    weights: Literal["W", "K"] = "W"
    """W: a known pixel counts by the share of unknown ones around it (36); K: all known pixels alike."""
    window: Positive = 7
    """Side of that neighbourhood in pixels, odd."""
    norm: Literal["l1", "l2"] = "l1"
    """Differences as they are, or squared."""
    optimizer: Literal["adam", "lbfgs"] = "adam"
    steps: Annotated[int, Field(ge=0)] = 300
    """Of the optimiser; 0 takes the best of the pool."""
    lr: Rate = 0.05
    """Adam's; the length of the first step of L-BFGS."""
    bound: Rate = 4.0
    """Every number of z, N(0, 1) by its law, is held in [-bound, bound]."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the networks while they are searched; auto measures both and takes the faster."""
    pool: Positive = 1
    """Vectors drawn per image, of which the best are started from."""
    restarts: Positive = 1
    """Searches per image; the one that ends best counts. At most `pool` of them."""
    blend: Literal["none", "membrane", "poisson"] = "poisson"
    """How the found image meets what is known."""

    @model_validator(mode="after")
    def _can_be_searched(self) -> SearchParams:
        if not self.alpha and not self.beta:
            raise ValueError("alpha and beta are both 0, so nothing known counts")
        if self.window % 2 == 0:
            raise ValueError(f"window is {self.window}, but a neighbourhood has an odd side")
        if self.restarts > self.pool:
            raise ValueError(f"restarts {self.restarts} is more than pool {self.pool}")
        return self


class ProjectParams(Block):
    """How an image is projected onto the manifold of a prior (iGAN)."""

    method: Literal["optimisation", "network", "hybrid"] = "hybrid"
    """Searched from a random z, by the network P, or searched from P's answer."""
    space: Literal["normal", "uniform"] = "normal"
    """Where a search walks: N(0, 1), or U(-1, 1), which `dcgan` hears."""
    optimizer: Literal["adam", "lbfgs"] = "lbfgs"
    steps: Annotated[int, Field(ge=0)] = 50
    lr: Rate = 1.0
    """Adam's; the length of the first step of L-BFGS."""
    bound: Rate = 4.0
    """Every number is held in [-bound, bound]; in `uniform`, in [-1, 1] at most."""
    restarts: Positive = 1
    """Searches of `optimisation` per image; the one that ends best counts."""


class PaintParams(Block):
    """How brushes move z (iGAN)."""

    sketch: Weight = 0.2
    """Of a sketch's outlines, beside 1 of a colour."""
    eps: Weight = 1e-3
    """Under the root in the descriptor of outlines; gradients below 2.4 times its root do not count."""
    lam_s: Weight = 5.0
    """Of the mean square of what z has moved."""
    lam_d: Weight = 0.0
    """Of what D thinks of the image."""
    steps: Annotated[int, Field(ge=0)] = 40
    """Of Adam, after every change of a stroke."""
    lr: Rate = 0.1
    candidates: Positive = 1
    """Searches side by side; the first one starts from the image as it is, the others around it."""
    spread: Weight = 0.5
    """How far around."""
    frames: Annotated[int, Field(ge=2)] = 8
    """Of the path from the image as it was to the edited one, along which the edit is carried over."""
