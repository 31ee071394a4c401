"""Brushes: closed forms of the descriptor, what constraints mark, steps that move nothing they need not."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from roigan.config import PaintParams, RoIGANModel
from roigan.errors import UserError
from roigan.inference.brushes import Constraint, colour, layered, outlines, sketch, warp, within
from roigan.inference.manipulation import candidates, objectives, paint, path, placed, region, shown, whole
from roigan.inference.solver import minimise
from roigan.losses.hog import BINS, hog
from roigan.systems.model import Model
from roigan.systems.roigan.networks import Generator
from tests.test_latent_search import prior

SIZE = 32
INSIDE = (slice(None), slice(None), slice(1, -1), slice(1, -1))  # cells that the border does not touch


def grey(levels: Tensor) -> Tensor:
    """[H, W] in [0, 1] -> an image [1, 1, H, W] in [-1, 1]."""
    return levels[None, None].double() * 2 - 1


# --- the descriptor ---


def test_a_ramp_is_in_one_bin() -> None:
    slope = 0.01
    columns = torch.arange(64).double()[None].expand(64, -1)
    cells = hog(grey(slope * columns), eps=0)[INSIDE]
    assert torch.allclose(cells[:, 0], torch.full_like(cells[:, 0], 64 * 2 * slope))
    assert cells[:, 1:].abs().max() < 1e-4  # the root's smallest


def test_a_ramp_between_two_bins_is_in_both() -> None:
    slope, turn = 0.005, torch.tensor(math.radians(11.25)).double()
    at = torch.arange(64).double()
    cells = hog(grey(slope * (at[None] * turn.cos() + at[:, None] * turn.sin())), eps=0)[INSIDE]
    a = math.cos(math.pi / 8)
    share = (math.cos(math.pi / 16) - a) / (1 - a)
    assert share == pytest.approx(0.748, abs=1e-3)
    for bin in (0, 1):
        assert torch.allclose(
            cells[:, bin], torch.full_like(cells[:, bin], 64 * 2 * slope * share), rtol=1e-4
        )
    assert cells[:, 2:].abs().max() < 1e-4


@pytest.mark.parametrize("at", [17, 20, 23, 24])
def test_a_step_anywhere_weighs_the_same(at: int) -> None:
    """2s per row of pixels, shared by the cells beside it."""
    height = 0.3
    levels = torch.zeros(64, 64)
    levels[:, at:] = height
    cells = hog(grey(levels), eps=0)[INSIDE]
    assert torch.allclose(cells[0, 0].sum(1), torch.full((6,), 8 * 2 * height).double(), rtol=1e-5)
    assert cells[:, 1:].abs().max() < 1e-4
    if at == 24:  # the line between two cells
        assert cells[0, 0, 0, [1, 2]].tolist() == pytest.approx([8 * height, 8 * height])


def test_a_quarter_turn_permutes_the_bins() -> None:
    levels = torch.rand(64, 64, generator=torch.Generator().manual_seed(0))
    turned = hog(grey(levels.T.flip(0)), eps=1e-3)  # to the left
    expected = hog(grey(levels), eps=1e-3).transpose(2, 3).flip(2)
    assert torch.allclose(turned.roll(BINS // 2, 1), expected, atol=1e-6)


def test_nothing_answers_below_the_threshold_and_a_frame_is_none() -> None:
    threshold = math.sqrt(1e-3) / math.tan(math.pi / 8)
    assert threshold == pytest.approx(0.076, abs=1e-3)
    columns = torch.arange(64).double()[None].expand(64, -1)
    assert hog(grey(0.99 * threshold / 2 * columns), eps=1e-3).max() == 0
    assert hog(grey(1.01 * threshold / 2 * columns), eps=1e-3).max() > 0
    assert hog(grey(torch.full((64, 64), 0.8)), eps=1e-3).max() == 0  # plain light grey


def test_the_gradient_is_that_of_finite_differences() -> None:
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.double) * 2 - 1
    x.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: hog(x, 1e-3, 4), (x,), eps=1e-7, atol=1e-4)


# --- constraints ---


def square(top: int, left: int, side: int = 8) -> Tensor:
    B = torch.zeros(1, SIZE, SIZE)
    B[:, top : top + side, left : left + side] = 1
    return B


def plain(level: float) -> Tensor:
    return torch.full((3, SIZE, SIZE), level)


def test_the_later_stroke_wins() -> None:
    first, second = colour(plain(-1.0), square(4, 4)), colour(plain(1.0), square(8, 8))
    below, above = layered([first, second])
    assert torch.equal(below.B + above.B, torch.maximum(square(4, 4), square(8, 8)))
    assert torch.equal(above.B, square(8, 8))
    assert layered([first, colour(plain(0.5), square(0, 0, 20))])[0].v.max() == 0.5  # the first is hidden
    assert len(layered([first, colour(plain(0.5), square(0, 0, 20))])) == 1


def test_a_sketch_counts_where_its_line_is_seen() -> None:
    drawing = torch.zeros(1, 64, 64)
    drawing[:, 34, 34] = 1
    stroke = sketch(drawing, PaintParams())
    assert stroke.v.shape == (8, 8, 8)
    assert stroke.B[0].nonzero().tolist() == [[3, 3], [3, 4], [4, 3], [4, 4]]  # windows of 16 at cells of 8


def test_a_patch_over_the_border_loses_the_same_part_at_both_ends() -> None:
    image = torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    pixels = warp(image, 2, 16, 29, 0, 8, PaintParams())[0]
    assert pixels.B.nonzero()[:, 2].unique().tolist() == [29, 30, 31]  # of columns -2..5 those 0..2
    assert torch.equal(pixels.v[:, 12:20, 29:], image[:, 12:20, :3])
    with pytest.raises(UserError, match="nothing of it stays inside 32x32"):
        warp(image, 2, 16, 40, 0, 8, PaintParams())
    with pytest.raises(UserError, match="a square of at least 1 pixel inside 32x32"):
        warp(image, 2, 33, 0, 0, 8, PaintParams())


def test_no_way_is_no_warp() -> None:
    image = torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for stroke in warp(image, 12, 16, 0, 0, 12, PaintParams()):
        f = image if stroke.brush == "colour" else outlines(image, PaintParams())
        assert torch.equal(stroke.B * f, stroke.B * stroke.v)


def test_strokes_outside_a_region_are_refused_and_cut_at_its_edge() -> None:
    M = square(8, 8, 16)
    (kept,) = within([colour(plain(1.0), square(4, 4))], M)
    assert torch.equal(kept.B, square(8, 8, 4))
    with pytest.raises(UserError, match="no stroke lies in the region"):
        within([colour(plain(1.0), square(0, 0))], M)


# --- steps on z ---


def canvas_and_z() -> tuple[Any, Tensor]:
    return whole(prior("dcgan")), placed(torch.randn(1, 16, generator=torch.Generator().manual_seed(3)))


def strokes_of(image: Tensor) -> list[Constraint]:
    return [colour(image, square(8, 8)), *warp(image, 12, 12, 0, 0, 16, PaintParams())]


def test_nothing_asked_moves_nothing() -> None:
    canvas, z0 = canvas_and_z()
    assert torch.equal(paint(canvas, [], z0, PaintParams(), z0).z, z0)
    assert torch.equal(paint(canvas, [], z0, PaintParams(lam_s=0)).z, z0)
    own = strokes_of(canvas.G(z0)[0])
    assert torch.allclose(paint(canvas, own, z0, PaintParams(), z0).z, z0, atol=1e-6)


def test_a_stroke_is_followed_and_held_back() -> None:
    canvas, z0 = canvas_and_z()
    far = placed(torch.randn(1, 16, generator=torch.Generator().manual_seed(4)))
    target = [colour(canvas.G(far)[0], square(8, 8))]
    apart = []
    for lam_s in (0.0, 0.5, 1e6):
        found = paint(canvas, target, z0, PaintParams(lam_s=lam_s), z0)
        before = objectives(canvas, target, z0, PaintParams(lam_s=0))["colour 1"](canvas.G(z0), z0)
        assert found.terms["colour 1"] <= before
        apart.append((found.z - z0).square().mean().item())
    assert apart[0] > apart[1] > 1e-3
    assert apart[2] < 1e-8
    assert paint(canvas, target, z0, PaintParams(lam_s=0), z0).terms["colour 1"] < 0.5 * before


def test_a_large_stroke_does_not_drown_a_small_one() -> None:
    canvas, z0 = canvas_and_z()
    image = canvas.G(z0)
    for side in (1, 4, 16):
        terms = objectives(canvas, [colour(image[0] + 0.5, square(8, 8, side))], z0, PaintParams())
        assert terms["colour 1"](image, z0).item() == pytest.approx(0.25, rel=1e-4)


def test_candidates_are_the_same_alone_and_the_first_starts_from_the_image() -> None:
    canvas, z0 = canvas_and_z()
    params = PaintParams(candidates=3, steps=5)
    z = candidates(z0, params, torch.Generator().manual_seed(0))
    assert torch.equal(z[0], z0[0])
    assert (z - z0).abs().max() <= 0.5
    target = [colour(plain(1.0), square(8, 8))]
    together = paint(canvas, target, z, params, z0)
    alone = torch.cat([paint(canvas, target, z[[i]], params, z0).z for i in range(3)])
    assert torch.allclose(together.z, alone, atol=1e-4)


def test_realism_needs_a_d_and_is_heard() -> None:
    canvas, z0 = canvas_and_z()
    params = PaintParams(lam_d=1.0, lam_s=0.0, steps=10)
    assert paint(canvas, [], z0, params).terms["realism"] < objectives(canvas, [], None, params)["realism"](
        canvas.G(z0), z0
    )
    with pytest.raises(UserError, match="has kept no D"):
        objectives(canvas._replace(realism=None), [], None, params)
    with pytest.raises(UserError, match="65 constraints"):
        objectives(canvas, [colour(plain(0.0), square(0, 0))] * 65, None, params)


def test_the_cheapest_are_shown_less_those_far_behind() -> None:
    loss = torch.cat([torch.linspace(1, 2, 20), torch.tensor([0.5])])
    assert shown(loss)[:2] == [20, 0]
    assert len(shown(loss)) == 16
    assert shown(torch.tensor([9.0, 1, 1, 1, 1, 1, 1, 1, 1])) == list(range(1, 9))


@pytest.mark.parametrize("kind", ["linear", "slerp"])
def test_a_path_has_both_ends(kind: str) -> None:
    z0, z1 = torch.randn(2, 1, 16, generator=torch.Generator().manual_seed(0))
    way = path(z0, z1, 8, kind)
    assert torch.allclose(way[[0, -1]], torch.cat([z0, z1]), atol=1e-5)
    assert torch.allclose(path(z0, z0, 4, kind), z0.expand(4, -1))
    if kind == "slerp":
        assert torch.allclose(path(z0, z1 * z0.norm() / z1.norm(), 5, kind).norm(dim=1), z0.norm())


# --- inside a region of RoI-GAN ---


def a_model() -> Model:
    params = RoIGANModel(system="roigan", width=0.1, noise=8, sliders=3, codes=2, values=4)
    torch.manual_seed(0)
    config = {"image_size": SIZE, "channels": 3, "model": params.model_dump(), "weights_sha256": "0"}
    return Model({"G": Generator(SIZE, 3, params)}, config)


def test_a_region_moves_by_noise_and_sliders_and_nothing_else() -> None:
    model = a_model()
    generator = torch.Generator().manual_seed(0)
    x, M = torch.rand(1, 3, SIZE, SIZE, generator=generator) * 2 - 1, square(8, 8, 16)[None]
    z = model.latent(1, generator)
    canvas, start = region(model, x, M, z)
    assert torch.allclose(canvas.G(start), model.complete(x, M, z))
    strokes = within([colour(plain(1.0), square(4, 4, 12))], M[0])
    found = paint(canvas, strokes, start, PaintParams(lam_s=0.0, steps=10, lr=0.5), start)
    assert torch.equal(found.images.where(M < 0.5, 0), x.where(M < 0.5, 0))
    assert found.terms["colour 1"] < objectives(canvas, strokes, None, PaintParams())["colour 1"](
        canvas.G(start), start
    )
    c = found.z[:, model.sizes.noise :]
    assert c.abs().max() <= 1


def test_a_bound_of_every_number_holds() -> None:
    found = minimise(
        lambda z: z, {"up": lambda images, z: -z.sum(1)}, torch.zeros(1, 2), "adam", 100, 0.1,
        torch.tensor([0.5, 2.0]),
    )  # fmt: skip
    assert found.z[0].tolist() == pytest.approx([0.5, 2.0])
