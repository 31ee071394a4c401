"""The region of interest: the mask convention and the families of masks.

One convention everywhere: M is [B, 1, H, W] with **1 = generate, 0 = keep**.

A family is a pure function from uniform random numbers to masks. Whoever needs masks draws the numbers, so
the same code serves the training device (float32, a fresh batch per step) and the caches (float64 on the
CPU, where the result does not depend on the last bit of a machine's arithmetic).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Family:
    """A distribution of masks: how many uniform numbers one mask takes, and what becomes of them."""

    draws: Callable[[int], int]
    """Side of the image in pixels -> uniform numbers per mask."""
    rasterise: Callable[..., Tensor]
    """(u [B, draws] in [0, 1), side) -> bool [B, side, side]."""
    keeps_share: bool = False
    """Whether `rasterise` takes a third argument: the share of pixels that it keeps."""


def rectangle(u: Tensor, size: int) -> Tensor:
    """Two uniform corner points, empty rectangles redrawn (3.1).

    On the grid of pixel borders 0..size, "redrawn until the two differ" is "the second uniform among the
    others", which needs no loop.
    """
    first = (u[:, :2] * (size + 1)).long().clamp(max=size)  # [B, 2]: x, y of a corner
    second = (first + 1 + (u[:, 2:] * size).long().clamp(max=size - 1)) % (size + 1)
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    pixel = torch.arange(size, device=u.device)
    inside = (pixel >= low[..., None]) & (pixel < high[..., None])  # [B, 2, size]
    return inside[:, 1, :, None] & inside[:, 0, None, :]


def ellipse(u: Tensor, size: int) -> Tensor:
    """A Gaussian's density above half its maximum (3.2-3.5): d^T Sigma^-1 d < 2 ln 2."""
    form, _ = _gaussians(u, size, rho=0.8, sigma=(1 / 5, 1 / 3))  # [B, 6]
    x = _axis(u, size)
    quadratic = torch.tensordot(form, _monomials(x, x[:, None]), 1)  # [B, size, size]
    return quadratic < 2 * math.log(2)


MIXTURE_COMPONENTS = 15  # the thesis' mixed regions
KNOWN_SHARE = 0.005  # of the pixels, where a share of them is all that is known


def mixture(u: Tensor, size: int) -> Tensor:
    """A mixture of 15 Gaussians above half its largest value on the grid (3.6-3.7).

    Weights are softmax(U(-1, 1)); their common factors cancel against the threshold.
    """
    u = u.unflatten(1, (MIXTURE_COMPONENTS, 6))  # [B, 15, 6]
    form, determinant = _gaussians(u, size, rho=0.9, sigma=(1 / 10, 1 / 6))  # [B, 15, 6], [B, 15]
    exponent = -form / 2
    exponent[..., 0] += 2 * u[..., 5] - 1 - determinant.log() / 2  # log of weight / sqrt(det Sigma)
    density = _exponentials(exponent, size)
    return (density > density.amax(1, keepdim=True) / 2).unflatten(-1, (size, size))


def _exponentials(c: Tensor, size: int) -> Tensor:
    """Sum over k of exp(q_k), q_k = c[:, k] @ `_monomials`: c [B, K, 6] -> [B, size*size].

    Exponentials are what takes the time, so rows come in bands, with y = s + d, s being the middle of a band:
    exp(q(x, s + d)) = exp(q(x, s)) exp(q(x, d) - q(x, 0)) exp(2 c_yy s d). Each factor needs an eighth of the
    pixels or fewer, and the second cannot overflow, for |d| is at most a sixteenth of the side.
    """
    band = max(1, size // 8)
    x = _axis(c, size)
    s = x[::band, None] + (band // 2) / size  # [bands, 1]
    d = (torch.arange(band, device=c.device, dtype=c.dtype)[:, None] - band // 2) / size  # [band, 1]
    middle = _monomials(x, s)  # [6, bands, size]
    offset = _monomials(x, d) - _monomials(x, torch.zeros_like(d))  # [6, band, size]
    first = torch.tensordot(c, middle, 1).exp_()[:, :, :, None]  # [B, K, bands, 1, size]
    second = torch.tensordot(c, offset, 1).exp_()[:, :, None]  # [B, K, 1, band, size]
    third = (2 * c[..., 5, None, None] * s * d.T).exp_()[..., None]  # [B, K, bands, band, 1]
    total = torch.zeros(len(c), len(s), band, size, device=c.device, dtype=c.dtype)
    for k in range(c.shape[1]):  # one at a time: the images stay in the cache
        total.addcmul_(first[:, k] * third[:, k], second[:, k])
    return total.flatten(1, 2)[:, :size].flatten(1)


def _axis(like: Tensor, size: int) -> Tensor:
    """Pixel centres in units of the side from the image's centre: [size]."""
    return (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) / size - 0.5


def _monomials(x: Tensor, y: Tensor) -> Tensor:
    """1, x, y, x^2, xy, y^2 of coordinates that broadcast: [6, ...]."""
    x, y = torch.broadcast_tensors(x, y)
    return torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y])


def _gaussians(u: Tensor, size: int, rho: float, sigma: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """d^T Sigma^-1 d as coefficients of `_monomials` [..., 6], and det Sigma [...], from u [..., >=5].

    Mean ~ N(centre, size) per axis (a variance in px^2), correlation ~ U(-rho, rho), standard deviations
    ~ U(sigma)*size.
    """
    tiny = torch.finfo(u.dtype).eps
    normal = torch.special.ndtri(u[..., :2].clamp(tiny, 1 - tiny))
    mx, my = (normal / math.sqrt(size)).clamp(-0.5, 0.5).unbind(-1)  # within the image, or it may be missed
    r = rho * (2 * u[..., 2] - 1)
    sx, sy = (sigma[0] + (sigma[1] - sigma[0]) * u[..., i] for i in (3, 4))
    scale = 1 / (1 - r**2)
    xx, xy, yy = scale / sx**2, -2 * scale * r / (sx * sy), scale / sy**2
    constant = xx * mx**2 + xy * mx * my + yy * my**2
    form = torch.stack([constant, -2 * xx * mx - xy * my, -2 * yy * my - xy * mx, xx, xy, yy], -1)
    return form, (sx * sy).square() * (1 - r**2)


def half(u: Tensor, size: int) -> Tensor:
    """One half of the image: left, right, top or bottom."""
    side = (u[:, 0] * 4).long()[:, None, None]  # [B, 1, 1]
    first = torch.arange(size, device=u.device) < size // 2
    vertical, horizontal = first[None, None, :], first[None, :, None]
    along = torch.where(side < 2, vertical, horizontal)  # broadcasts to [B, size, size]
    return torch.where(side % 2 == 0, along, ~along).expand(len(u), size, size)


def centre(u: Tensor, size: int) -> Tensor:
    """The centred square of half the side."""
    pixel = torch.arange(size, device=u.device)
    inside = (pixel >= size // 4) & (pixel < size - size // 4)
    return (inside[:, None] & inside[None, :]).expand(len(u), size, size)


def border(u: Tensor, size: int) -> Tensor:
    """All but the centred square: the picture is to be continued outwards."""
    return ~centre(u, size)


STROKES, TURNS = 3, 5  # free-form: strokes per mask, straight pieces per stroke


def free_form(u: Tensor, size: int) -> Tensor:
    """Brush strokes: polygonal lines with round joints (in the manner of Yu et al. 2019, DeepFill v2).

    A stroke starts anywhere, and its pieces are size/16 to size/4 long, each turned by at most 72 degrees
    from the one before; brushes are size/24 to size/8 wide.
    """
    u = u.unflatten(1, (STROKES, 4 + 2 * TURNS))
    start = u[..., :2] * size  # [B, S, 2]
    radius = size * (1 / 48 + u[..., 2] / 24)  # [B, S]
    turn = torch.cat([u[..., 3:4] * 2 * math.pi, (u[..., 5 : 4 + TURNS] - 0.5) * 0.8 * math.pi], -1)
    angle = turn.cumsum(-1)  # [B, S, T]
    length = size * (1 / 16 + u[..., 4 + TURNS :] * 3 / 16)
    piece = torch.stack([angle.cos(), angle.sin()], -1) * length[..., None]  # [B, S, T, 2]
    begin = (start[..., None, :] + piece.cumsum(-2) - piece).flatten(1, 2)  # [B, S*T, 2]
    piece = piece.flatten(1, 2)
    pixel = torch.arange(size, device=u.device, dtype=u.dtype) + 0.5
    inside = torch.zeros(len(u), size, size, dtype=torch.bool, device=u.device)
    for i in range(STROKES * TURNS):  # one piece at a time: memory stays at a few images per mask
        dx = pixel - begin[:, i, 0, None]  # [B, size]
        dy = pixel - begin[:, i, 1, None]
        px, py = piece[:, i, 0, None, None], piece[:, i, 1, None, None]
        along = ((dx[:, None, :] * px + dy[:, :, None] * py) / (px**2 + py**2)).clamp(0, 1)
        distance = (dx[:, None, :] - along * px).square() + (dy[:, :, None] - along * py).square()
        inside |= distance < radius[:, i // TURNS, None, None].square()
    # a stroke that begins at the edge and leaves at once may miss every pixel centre
    row, column = ((start[:, 0, i] - 0.5).round().long().clamp(0, size - 1) for i in (1, 0))
    inside[torch.arange(len(u), device=u.device), row, column] = True
    return inside


def scattered(u: Tensor, size: int, known_share: float = KNOWN_SHARE) -> Tensor:
    """All but a few scattered pixels, exactly round(known_share * size^2) of them and at least one."""
    known = max(1, round(known_share * size * size))
    chosen = u.argsort(dim=1, stable=True)[:, :known]
    return torch.ones_like(u, dtype=torch.bool).scatter(1, chosen, False).unflatten(1, (size, size))


def top(u: Tensor, size: int, known_share: float = KNOWN_SHARE) -> Tensor:
    """All but the lowest rows, of which round(known_share * size) are known, at least one."""
    return ~lowest_rows(max(1, round(known_share * size)), size).to(u.device).expand(len(u), size, size)


def lowest_rows(rows: int, size: int) -> Tensor:
    """bool [size, size]."""
    return (torch.arange(size) >= size - rows)[:, None].expand(size, size)


def everything(u: Tensor, size: int) -> Tensor:
    """The whole picture."""
    return torch.ones(len(u), size, size, dtype=torch.bool, device=u.device)


FAMILIES: dict[str, Family] = {
    "rectangle": Family(lambda size: 4, rectangle),
    "ellipse": Family(lambda size: 5, ellipse),
    "mixture": Family(lambda size: MIXTURE_COMPONENTS * 6, mixture),
    "half": Family(lambda size: 1, half),
    "centre": Family(lambda size: 1, centre),
    "border": Family(lambda size: 1, border),
    "free_form": Family(lambda size: STROKES * (4 + 2 * TURNS), free_form),
    "scattered": Family(lambda size: size * size, scattered, keeps_share=True),
    "top": Family(lambda size: 1, top, keeps_share=True),
    "whole": Family(lambda size: 1, everything),  # a sample from nothing
    "grey": Family(lambda size: 1, everything),  # the colours of the whole picture
}
