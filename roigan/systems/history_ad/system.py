"""HistoryAD: a detector that tells training images from what the generators of the past painted.

P. Chatillon, C. Ballester, History-based anomaly detector: an adversarial approach to anomaly detection, 2020
(arXiv 1912.11843). Its dual form of the total variation with -1 <= D <= 1 gives 2 delta, not
delta = sup |P(A) - Q(A)|. Layers, rates and weights are ours.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import torch
from torch import nn

from roigan.config.systems.history_ad import HistoryADParams
from roigan.errors import UserError
from roigan.game import Batch, Player, Terms
from roigan.images.arrays import normalise
from roigan.losses import adversarial
from roigan.systems.history_ad import past
from roigan.systems.history_ad.detector import Detector
from roigan.systems.interface import CriticLoss, Given, Kept
from roigan.systems.states import mean_state, weights

CENTRED_ON = 2000  # images of either kind at most


class HistoryAD(CriticLoss):
    """The detector, its losses, and its only player."""

    networks: ClassVar[dict[str, type[nn.Module]]] = {"D": Detector}
    keeps: ClassVar[tuple[Kept, ...]] = (Kept("D", averaged=False),)
    verbs: ClassVar[tuple[str, ...]] = ("score",)
    title: ClassVar[str] = "HistoryAD"
    about: ClassVar[str] = "a detector from the past of a WGAN-GP (Chatillon and Ballester 2020)"

    def __init__(self, params: HistoryADParams, given: Given) -> None:
        """Raises UserError for a prior without a past."""
        self.params, model = params, params.model
        if given.prior is None or not given.past:
            raise UserError("history_ad needs a prior with a past: set prior.train.history.states")
        if model.memory > len(given.images):
            raise UserError(
                f"model.memory is {model.memory}, but there are {len(given.images)} training images"
            )
        D = Detector(params.data.image_size, params.data.channels, model)
        q = weights(len(given.past), model.past.start, model.past.decay)
        if model.begin == "mean":
            D.load_state_dict(D.state_dict() | mean_state(given.past, "D", q))
        elif model.begin == "last":
            D.load_state_dict(D.state_dict() | given.past[-1].nets["D"])
        generator = torch.Generator().manual_seed(params.train.seed)
        prior = given.prior
        self.bank = past.bank(prior.G, given.past, prior.sizes.noise, q, model.past, given.images, generator)
        self.D, self.remembered = D, given.images[: model.memory]
        if model.centre == "affine":
            x = normalise(given.images[:CENTRED_ON].movedim(-1, 1))  # [N, C, S, S]
            drawn = torch.randperm(len(self.bank), generator=generator)[:CENTRED_ON]
            past.centre(D.to(x.device), x, normalise(self.bank[drawn.to(self.bank.device)]))
        self.nets: dict[str, nn.Module] = {"D": D}

    def players(self) -> list[Player]:
        """D alone: its opponents are past."""
        train = self.params.train
        optimizer = torch.optim.Adam(self.nets["D"].parameters(), lr=train.lr_d, betas=train.betas)
        return [Player("D", ["D"], self.loss, optimizer, train.turns_d)]

    def remember(self) -> None:
        """The memory, where there is one, is that of the features as they are now."""
        self.D.remember(self.remembered.movedim(-1, 1))

    def loss(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """E D(y) - E D(x) + bound * E d(D, [-1, 1])^2 over x and y, y from the bank; or the log loss."""
        drawn = batch.random.integers("bank", len(self.bank)).to(self.bank.device)
        y = normalise(self.bank[drawn]).to(batch.x)  # [B, C, S, S]
        scores = nets.D(torch.cat([batch.x, y]))  # [2 B], one forward for both
        real, past_ones = scores.chunk(2)
        losses = self.params.losses
        if losses.kind == "log":
            return {"log": adversarial.log_d(real, past_ones)}
        return {
            "tv": adversarial.wasserstein_d(real, past_ones),
            "bound": losses.bound * adversarial.beyond(scores).mean(),
        }
