"""How far colours are from the true ones, and how colourful they are: for pictures whose lightness is given.

PSNR favours pale guesses, and a random picture's colours have the right histogram: read them together, beside
`natural`. Images y, x are [B, 3, H, W] in [-1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor

from roigan.images.colours import lab

PEAK = 255  # of a, b
FINEST = 1 / 12  # mean square of an error uniform within one unit of a, b
BINS, REACH = 32, 80  # of the histogram, along a and along b, over [-REACH, REACH]
EDGE = 0.01  # grey lies where four cells meet, and rounding must not spread it over them


def psnr_ab(y: Tensor, x: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of a, b of CIE Lab, in decibels: [B], at most 58.9."""
    mse = (lab(y) - lab(x))[:, 1:].square().mean((1, 2, 3))
    return -10 * torch.log10(mse.clamp_min(FINEST) / PEAK**2)


def colourfulness(y: Tensor) -> Tensor:
    """Hasler and Suesstrunk 2003, on levels 0..255: [B], 0 for grey images."""
    red, green, blue = ((y + 1) * 127.5).flatten(2).unbind(1)  # [B, H*W] each
    opponents = torch.stack([red - green, (red + green) / 2 - blue], 1)  # [B, 2, H*W]
    spread, mean = opponents.var(2, correction=0), opponents.mean(2)
    return spread.sum(1).sqrt() + 0.3 * mean.square().sum(1).sqrt()


def histogram(y: Tensor) -> Tensor:
    """Pixels by their a, b: float64 [BINS * BINS], on the CPU; colours beyond REACH count at the edge."""
    ab = lab(y)[:, 1:] + EDGE  # [B, 2, H, W]
    cell = ((ab + REACH) * (BINS / (2 * REACH))).long().clamp(0, BINS - 1)
    return torch.bincount((cell[:, 0] * BINS + cell[:, 1]).flatten(), minlength=BINS**2).double().cpu()


def js(p: Tensor, q: Tensor) -> float:
    """Jensen-Shannon divergence of two histograms [K], in nats: 0 to log 2."""
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    apart = torch.special.entr(torch.stack([p, q])).sum(1).mean()
    return max(0.0, (torch.special.entr(middle).sum() - apart).item())
