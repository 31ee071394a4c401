"""Poisson blending: closed forms, a sparse direct solver, OpenCV's seamlessClone, and what is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import scipy.sparse as sparse
import scipy.sparse.linalg as direct
import torch
from torch import Tensor

from roigan.corruptions.sampling import sample
from roigan.images.arrays import to_uint8
from roigan.images.blending import complete, membrane
from roigan.images.poisson import poisson


def images(seed: int, count: int = 2, size: int = 24) -> tuple[Tensor, Tensor]:
    """Smooth x and G in [-0.5, 0.5]: nothing is cut off."""
    generator = torch.Generator().manual_seed(seed)
    rough = torch.rand(2 * count, 3, size, size, generator=generator) * 2 - 1
    x, G = torch.nn.functional.avg_pool2d(rough, 5, 1, 2).chunk(2)
    return x * 0.5, G * 0.5


def solved(x: Tensor, G: Tensor, M: Tensor) -> np.ndarray:
    """One image [C, H, W] by a sparse LU: the equations written down one by one."""
    apart, region = (x - G).double().numpy(), M[0].numpy() > 0.5
    rows = np.argwhere(region)
    number = {tuple(place): i for i, place in enumerate(rows.tolist())}
    A, b = sparse.lil_matrix((len(rows), len(rows))), np.zeros((len(rows), len(apart)))
    for i, (row, column) in enumerate(rows.tolist()):
        for place in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if not (0 <= place[0] < region.shape[0] and 0 <= place[1] < region.shape[1]):
                continue
            A[i, i] += 1
            if place in number:
                A[i, number[place]] -= 1
            else:
                b[i] += apart[:, place[0], place[1]]
    y = x.double().numpy().copy()
    y[:, rows[:, 0], rows[:, 1]] = (
        G.double().numpy()[:, rows[:, 0], rows[:, 1]] + direct.spsolve(A.tocsc(), b).reshape(len(rows), -1).T
    )
    return y


@pytest.mark.parametrize("family", ["ellipse", "centre", "half", "mixture", "scattered", "border"])
def test_it_solves_the_equations(family: str) -> None:
    x, G = images(1)
    M = sample(family, 2, 24, torch.Generator().manual_seed(2), 0.05)
    y = complete(x, poisson(x, G, M), M)
    for mine, *given in zip(y, x, G, M, strict=True):
        assert np.abs(mine.numpy() - solved(*given)).max() < 1e-5


@pytest.mark.parametrize("form", ["ramp", "product"])
def test_harmonic_images_are_continued(form: str) -> None:
    """Where G is flat, the filling is the harmonic continuation: a ramp and x*y are their own."""
    down, across = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")
    x = {"ramp": 0.3 * down - 0.6 * across, "product": down * across}[form].expand(1, 3, 32, 32)
    M = torch.zeros(1, 1, 32, 32)
    M[..., 5:27, 9:23] = 1
    assert (poisson(x, torch.zeros_like(x), M) - x).abs().max() < 1e-5
    assert (membrane(x, torch.zeros_like(x), M) - x).abs().max() > 0.01  # which is why there are two


def test_another_brightness_is_undone() -> None:
    x, _ = images(3)
    M = sample("mixture", 2, 24, torch.Generator().manual_seed(0))
    assert torch.allclose(poisson(x, x + 0.4, M), x, atol=1e-5)


def test_a_picture_that_is_all_region_keeps_the_filling() -> None:
    x, G = images(4)
    M = torch.ones(2, 1, 24, 24)
    M[0, :, 3:9] = 0  # one of the two has something to go by, and does not change the other
    y = poisson(x, G, M)
    assert torch.equal(y[1], G[1])
    assert not torch.equal(y[0], G[0])


def test_what_is_unknown_is_not_looked_at() -> None:
    x, G = images(5)
    M = sample("ellipse", 2, 24, torch.Generator().manual_seed(0))
    y = poisson(x, G, M)
    hidden = torch.where(M > 0.5, torch.nan, x)
    assert torch.equal(complete(x, poisson(hidden, G, M), M), complete(x, y, M))


def test_a_batch_is_its_images() -> None:
    x, G = images(6)
    M = sample("ellipse", 2, 24, torch.Generator().manual_seed(0))
    alone = torch.cat([poisson(x[[i]], G[[i]], M[[i]]) for i in range(2)])
    assert torch.allclose(poisson(x, G, M), alone, atol=1e-6)


def test_it_agrees_with_opencv() -> None:
    """seamlessClone gives the target's gradients to a rim of its mask, and 8 bits: a level or two apart."""
    x, G = images(7, 1, 48)
    M = torch.zeros(1, 1, 48, 48)
    M[..., 11:36, 11:36] = 1
    mine = to_uint8(complete(x, poisson(x, G, M), M))[0].astype(int)
    filling, target, region = to_uint8(G)[0], to_uint8(x)[0], np.zeros((48, 48), np.uint8)
    region[8:39, 8:39] = 255
    theirs = cv2.seamlessClone(filling, target, region, (23, 23), cv2.NORMAL_CLONE)
    inside = M[0, 0].numpy() > 0.5
    apart, pasted = (np.abs(other.astype(int) - theirs)[inside].mean() for other in (mine, filling))
    assert apart < 2
    assert pasted > 3
