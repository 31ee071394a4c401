"""Q in training and the judge of stage `control`: sliders and codes read from a completed image."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roigan.images.blending import continuation
from roigan.nets.layers import Conv2d, Linear, lrelu

DETAIL_GAIN = 3.0  # brings what is added to about the scale of an image
SHARPEST = 0.1  # standard deviation at which a control counts as read: finer digits would be hidden in pixels
CIRCLE_VARIANCE = 0.5  # of either coordinate of the points on a unit circle


class Reading(NamedTuple):
    """What is read of the controls: a Gaussian for every slider, a distribution for every code."""

    mu: Tensor  # [B, sliders]
    logvar: Tensor  # [B, sliders]
    logits: Tensor  # [B, codes, values]


def sharp(logvar: Tensor) -> Tensor:
    """A log-variance that the Gaussian likelihood of a perfectly read slider cannot drive to -infinity."""
    return logvar.clamp(2 * math.log(SHARPEST), 2)


def circle(values: int) -> Tensor:
    """The values of a code as points on the unit circle [values, 2]: as easily told by a network as two
    sliders, where one-hot vectors are values-1 directions to be learnt one by one."""
    angle = torch.arange(values) * (2 * math.pi / values)
    return torch.stack([angle.cos(), angle.sin()], 1)


class Reader(nn.Module):
    """A completed image and its mask -> the controls: convolutions k4 s2 down to 4x4, then one linear layer.

    Beside the image it sees what the filling adds to the continuation of its surroundings: images differ far
    more than the controls make them. No normalisation: colour and contrast of a filling may carry a control.
    """

    def __init__(
        self, size: int, channels: int, controls: tuple[int, int, int], width: float, *, equalised: bool
    ) -> None:
        """controls: numbers of sliders, codes and values per code."""
        super().__init__()
        self.sliders, self.codes, self.values = controls
        self.convs = nn.ModuleList()
        inputs, side = 2 * channels + 1, size
        while side > 4:
            outputs = max(1, round(width * min(512, 128 * size // side)))
            self.convs.append(Conv2d(inputs, outputs, 4, 2, 1, equalised=equalised))
            inputs, side = outputs, side // 2
        self.read = Linear(16 * inputs, 2 * self.sliders + 3 * self.codes, equalised=equalised)
        self.circle: Tensor
        self.register_buffer("circle", circle(self.values), persistent=False)
        self.read.gain *= 0.1  # it starts by knowing nothing, not by claiming anything

    def forward(self, y: Tensor, M: Tensor) -> Reading:
        """y: [B, C, H, W]; M: [B, 1, H, W]."""
        h = torch.cat([y, DETAIL_GAIN * (y - continuation(y, M)), M], 1)  # [B, 2C + 1, H, W]
        for conv in self.convs:
            h = lrelu(conv(h))  # ... [B, 512, 4, 4]
        read = self.read(h.flatten(1)).to(y.dtype)
        mu, logvar, points, spread = read.split(
            [self.sliders, self.sliders, 2 * self.codes, self.codes], dim=1
        )
        # log N(point; value's place, spread) up to what all values share. Ignorance is a point at the centre;
        # if a boundless spread could say it as well, no gradient would find the way out. The bound is smooth:
        # at a hard one the spread would start where it has no gradient
        spread = math.log(CIRCLE_VARIANCE) - F.softplus(-spread)
        precision = (-sharp(spread)).exp()  # [B, codes]
        logits = (points.unflatten(1, (self.codes, 2)) @ self.circle.T).to(y.dtype) * precision[:, :, None]
        return Reading(mu, sharp(logvar), logits)
