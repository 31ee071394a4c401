"""Latent search: weights and gradients of the context, the solver on a model whose answer is known, and what
is never read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from roigan.cli import main as cli
from roigan.config import SearchParams, parse_model
from roigan.config.reading import search_params
from roigan.corruptions.sampling import sample
from roigan.errors import UserError
from roigan.evaluation.exam import Exam
from roigan.evaluation.verbs import VERBS, asked, measure
from roigan.features.network import load_features
from roigan.files import paths
from roigan.images.arrays import load_split
from roigan.inference.latent_search import LatentSearch, redrawn
from roigan.inference.solver import OPTIMIZERS, Adam, minimise
from roigan.losses.context import gradients, importance, pixels
from roigan.systems.dcgan.system import DCGAN
from roigan.systems.model import Model, save_model
from roigan.systems.wgan.system import WGAN as SYSTEM
from tests.conftest import WGAN, Small

SIZE = 32


def prior(system: str = "wgan", seed: int = 0) -> Model:
    """A small prior with weights that nobody trained."""
    torch.manual_seed(seed)
    kind = {"wgan": SYSTEM, "dcgan": DCGAN}[system]
    config: dict[str, Any] = {
        "model": {"system": system, "width": 0.125, "noise": 16},
        "image_size": SIZE, "channels": 3, "weights_sha256": "",
    }  # fmt: skip
    params = parse_model(config["model"], "")
    nets = {name: net(SIZE, 3, params) for name, net in kind.networks.items()}
    for parameter in nets["G"].parameters():  # far enough from grey to be looked for
        parameter.data *= 3
    return Model(nets, config)


def searching(**changes: Any) -> LatentSearch:
    return LatentSearch(
        prior(), SearchParams(**{"steps": 20, "blend": "none", "precision": "fp32"} | changes)
    )


def a_task(count: int = 2, family: str = "centre") -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = prior().generate(torch.randn(count, 16, generator=generator))
    return x, sample(family, count, SIZE, generator), torch.randn(count, 16, generator=generator)


# --- the context ---


def test_weights_at_an_edge_and_around_a_pixel() -> None:
    edge = torch.zeros(1, 1, 21, 21)
    edge[..., 10:] = 1
    row = importance(edge, 7)[0, 0, 10]
    assert row[5:11].tolist() == pytest.approx([0, 0, 1 / 7, 2 / 7, 3 / 7, 0])
    assert row[6].item() == 0
    single = torch.zeros(1, 1, 21, 21)
    single[..., 10, 10] = 1
    W = importance(single, 7)[0, 0]
    assert W[10, 10] == 0
    assert W[7, 13].item() == pytest.approx(1 / 49)
    assert W[6, 10] == 0
    corner = torch.zeros(1, 1, 21, 21)
    corner[..., 0, 0] = 1
    assert importance(corner, 7)[0, 0, 1, 0].item() == pytest.approx(1 / 20)  # 5 by 4 of the window are there
    assert importance(torch.ones(1, 1, 9, 9), 7).max() == 0


def test_a_constant_offset_costs_pixels_only() -> None:
    x, M, _ = a_task()
    W = importance(M, 7)
    assert gradients(x + 0.5, x, W, "l1").tolist() == pytest.approx([0, 0], abs=1e-4)
    assert torch.allclose(pixels(x + 0.5, x, W, "l1"), 0.5 * 3 * W.flatten(1).sum(1), rtol=1e-4)
    assert torch.allclose(pixels(x + 0.5, x, W, "l2"), 0.25 * 3 * W.flatten(1).sum(1), rtol=1e-4)


def test_gradients_of_a_step() -> None:
    """One pixel off by 1 has four pairs, of which a pair with an unknown pixel does not count."""
    x, W = torch.zeros(1, 1, 9, 9), torch.ones(1, 1, 9, 9)
    G = x.clone()
    G[..., 4, 4] = 1
    assert gradients(G, x, W, "l1").item() == 4
    W[..., 4, 5] = 0
    assert gradients(G, x, W, "l1").item() == 3


@pytest.mark.parametrize(("system", "costs"), [("dcgan", -0.6931472), ("wgan", 0.0)])
def test_the_prior_of_a_score_of_zero(system: str, costs: float) -> None:
    kind = {"dcgan": DCGAN, "wgan": SYSTEM}[system]
    assert kind.prior_loss(torch.zeros(1)).item() == pytest.approx(costs)
    assert kind.prior_loss(torch.ones(1)) < kind.prior_loss(-torch.ones(1))  # more real is cheaper


# --- the solver ---


class Linear(nn.Module):
    """G(z) = A z: what a search should find is known."""

    def __init__(self) -> None:
        super().__init__()
        self.A = torch.randn(3 * 8 * 8, 6, generator=torch.Generator().manual_seed(0))

    def forward(self, z: Tensor) -> Tensor:
        return (z @ self.A.T).view(-1, 3, 8, 8)


def least_squares(x: Tensor) -> dict[str, Any]:
    return {"pixels": lambda G, z: (G - x).square().flatten(1).sum(1)}


@pytest.mark.parametrize(("optimizer", "steps"), [("adam", 400), ("lbfgs", 20)])
def test_a_linear_model_is_solved(optimizer: str, steps: int) -> None:
    G, generator = Linear(), torch.Generator().manual_seed(1)
    x = torch.rand(3, 3, 8, 8, generator=generator)
    best = torch.linalg.lstsq(G.A, x.flatten(1).T).solution.T
    found = minimise(G, least_squares(x), torch.zeros(3, 6), optimizer, steps, 0.05)
    assert torch.allclose(found.z, best, atol=0.01)
    assert torch.allclose(found.loss, (G(best) - x).square().flatten(1).sum(1), rtol=0.01)
    assert torch.equal(found.images, G(found.z))


def test_adam_in_steps_is_that_of_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    theirs = torch.randn(3, 6, generator=generator)
    ours, optimizer = Adam.begin(theirs.clone()), torch.optim.Adam([theirs], lr=0.1)
    for _ in range(30):
        gradient = torch.randn(3, 6, generator=generator)
        theirs.grad = gradient
        optimizer.step()
        ours = ours.step(gradient, 0.1)
    assert torch.allclose(ours.z, theirs, atol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_bounds_hold(optimizer: str) -> None:
    """The best of z^2 - 2 a z in [-1, 1] is a, cut off."""
    a = torch.tensor([[3.0, -5.0, 0.25]])
    objectives = {"bowl": lambda G, z: (z.square() - 2 * a * z).sum(1)}
    found = minimise(lambda z: z, objectives, torch.zeros(1, 3), optimizer, 300, 0.05, bound=1.0)
    assert found.z[0].tolist() == pytest.approx([1, -1, 0.25], abs=0.01)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_batch_is_its_images(optimizer: str) -> None:
    search, (x, M, z) = searching(optimizer=optimizer, pool=4, restarts=2), a_task()
    together = search.find(x, M, z)
    alone = [search.find(x[[i]], M[[i]], z[[i]]) for i in range(2)]
    assert torch.allclose(together.z, torch.cat([found.z for found in alone]), atol=1e-3)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_best_is_kept_and_the_trace_falls(optimizer: str) -> None:
    x, M, z = a_task()
    found = searching(optimizer=optimizer, lr=3.0).find(x, M, z)  # leaps
    assert (found.trace.diff(dim=0) <= 0).all()
    assert torch.equal(found.trace[-1], found.loss)
    assert torch.allclose(torch.stack(list(found.terms.values())).sum(0), found.loss)


def test_a_start_that_is_the_best_stays_the_best() -> None:
    """Adam leaps over the minimum; its first z is remembered as it was."""
    z = torch.zeros(1, 2)
    found = minimise(lambda z: z, {"bowl": lambda G, z: (z - 0.01).square().sum(1)}, z, "adam", 1, 1.0)
    assert torch.equal(found.z, z)
    assert found.loss.item() == pytest.approx(2e-4)


def test_what_stops_being_a_number_is_named_and_the_last_sound_z_is_kept() -> None:
    """sqrt(1 - z) has a sound value as far as 1; the second image never gets there."""
    towards = torch.tensor([[5.0], [0.5]])
    objectives = {
        "root": lambda G, z: 0 * (1 - z[:, 0]).sqrt(),
        "bowl": lambda G, z: (z - towards).square().sum(1),
    }
    with pytest.warns(UserWarning, match="root of 1 images; their last z stays"):
        found = minimise(lambda z: z, objectives, torch.zeros(2, 1), steps=300)
    assert 0.8 < found.z[0].item() <= 1
    assert found.z[1].item() == pytest.approx(0.5, abs=0.01)
    with pytest.raises(UserError, match="root is no number at the first z"):
        minimise(lambda z: z, objectives, torch.full((2, 1), 2.0))


# --- the search ---


def test_an_image_of_the_model_is_found_again() -> None:
    x, M, z = a_task()
    search = searching(steps=300, eta=0.0, weights="K", pool=8, restarts=4)
    found = search.find(x, M, z)
    apart = ((found.images - x).abs() * (1 - M)).mean() / ((prior().generate(z) - x).abs() * (1 - M)).mean()
    assert apart < 0.15


@pytest.mark.parametrize("blend", ["none", "membrane", "poisson"])
def test_known_pixels_stay_and_hidden_ones_are_not_looked_at(blend: str) -> None:
    search, (x, M, z) = searching(blend=blend, pool=3), a_task()
    y = search.complete(x, M, z)
    assert torch.equal(y.where(M < 0.5, 0), x.where(M < 0.5, 0))
    hidden = x.where(M < 0.5, torch.nan)
    assert torch.equal(search.complete(hidden, M, z).where(M > 0.5, 0), y.where(M > 0.5, 0))


def test_no_weight_has_a_gradient() -> None:
    search, (x, M, z) = searching(), a_task()
    search.complete(x, M, z)
    weights = [weight for net in search.nets.values() for weight in net.parameters()]
    assert all(weight.grad is None and not weight.requires_grad for weight in weights)


def test_no_step_is_the_best_of_the_pool_and_restarts_end_at_the_best() -> None:
    x, M, z = a_task()
    sample_of_z = searching(steps=0).find(x, M, z)
    assert torch.equal(sample_of_z.z, z.clamp(-4, 4))
    pooled = searching(steps=0, pool=16).find(x, M, z)
    assert (pooled.loss <= sample_of_z.loss).all()
    alone = torch.stack([searching(steps=5).find(x, M, start).loss for start in redrawn(z, 3)])
    best = searching(steps=5, pool=3, restarts=3).find(x, M, z).loss
    assert torch.allclose(best, alone.min(0).values, rtol=1e-3)


def test_nothing_known_is_a_sample() -> None:
    search, (x, M, z) = searching(), a_task()
    M[0] = 1
    found = search.find(x, M, z)
    assert torch.equal(found.z[0], z[0])
    assert torch.allclose(found.images[0], search.generate(z)[0], atol=1e-6)
    assert not torch.equal(found.z[1], z[1])


@given(st.integers(0, 2**31), st.integers(1, 6))
def test_redrawn_vectors_keep_the_law(seed: int, n: int) -> None:
    z = torch.randn(3, 16, generator=torch.Generator().manual_seed(seed))
    drawn = redrawn(z, n)
    assert torch.equal(drawn[0], z)
    assert torch.equal(drawn.abs().sort(-1).values, z.abs().sort(-1).values.expand(n, -1, -1))
    assert torch.equal(redrawn(z[[1]], n), drawn[:, [1]])  # no image depends on its batch


def test_what_cannot_be_searched_is_said() -> None:
    x, M, z = a_task()
    with pytest.raises(UserError, match=r"knows images of \[3, 32, 32\], not of \[1, 32, 32\]"):
        searching().find(x[:, :1], M, z)
    for wrong, why in [
        ({"alpha": 0.0, "beta": 0.0}, "nothing known counts"),
        ({"window": 8}, "an odd side"),
        ({"restarts": 2}, "restarts 2 is more than pool 1"),
    ]:
        with pytest.raises(ValueError, match=why):
            SearchParams(**wrong)


# --- as users meet it ---


def test_a_prior_is_measured_by_all_that_is_asked_of_it(prepared: Path, small: Small) -> None:
    """Under `whole` as a generator, under other families by a search, in one table."""
    params = small(
        **WGAN | {"masks.evaluate": ["whole", "centre"]},
        search__steps=2, evaluate__limit=6, evaluate__diversity_images=2, evaluate__diversity_samples=2,
    )  # fmt: skip
    model = prior()
    images, test = (load_split(prepared / paths.PREPARED, split) for split in ("train", "test"))
    masks = {"whole": torch.ones(1, 1, SIZE, SIZE), "centre": sample("centre", 1, SIZE, torch.Generator())}
    assert asked(model, list(masks)) == {"generate": ["whole"], "complete": ["centre"]}
    table, scored = measure(
        lambda verb: VERBS[verb].methods(params, model, images),
        Exam(test, masks, load_features(prepared / paths.FEATURES), params, model),
    )  # fmt: skip
    methods = table.groupby("mask")["method"].apply(set)
    assert methods["whole"] == {"wgan", "copy", "mean", "real"}
    assert methods["centre"] == {"wgan", "fmm", "nearest", "real"}
    assert table.set_index(["method", "mask"]).loc[("wgan", "centre"), "psnr"] > 0
    assert ("wgan", "centre") in scored


@pytest.mark.parametrize("blend", [None, "membrane", "poisson"])
def test_a_picture_of_any_size_is_completed(
    blend: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prior knows whole aligned images: it sees the largest square around the region."""
    save_model(tmp_path / "prior", prior().nets, prior().config)
    picture = np.random.default_rng(0).integers(0, 256, (50, 70, 4), dtype=np.uint8)
    mask = np.zeros((50, 70), np.uint8)
    mask[20:30, 25:45] = 255
    Image.fromarray(picture).save(tmp_path / "x.png")
    Image.fromarray(mask).save(tmp_path / "m.png")
    (tmp_path / "quick.yaml").write_text("search: {steps: 2, precision: fp32}\n")
    files = {"model": "prior", "image": "x.png", "mask": "m.png", "out": "y.png", "search": "quick.yaml"}
    words = [word for name, file in files.items() for word in (f"--{name}", str(tmp_path / file))]
    monkeypatch.setattr("sys.argv", ["roigan", "complete", *words, *(["--blend", blend] if blend else [])])
    cli.main()
    completed = np.asarray(Image.open(tmp_path / "y.png"))
    assert np.array_equal(completed[mask == 0], picture[mask == 0])
    assert not np.array_equal(completed[mask > 0], picture[mask > 0])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("train: {}\n", "has no block `search`"),
        ("search: {stepps: 3}\n", r"unknown key stepps \(did you mean steps\?\)"),
        ("search: {window: 4}\n", "an odd side"),
        ("search: [\n", "is not valid YAML"),
        (None, "No such file"),
    ],
)
def test_a_file_with_numbers_of_the_search_is_checked(
    content: str | None, complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / "s.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError, match=complaint):
        search_params(file)
    assert search_params(None) == SearchParams()
