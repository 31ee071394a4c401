"""Conditional DCGAN: counts of the essay's table, what G hears, each loss, Theorem 2, masks, bad input."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.conditional import best_of
from benchmarks.conditional_labels import counts
from roigan.config import Params
from roigan.config.systems.conditional_dcgan import ConditionalDCGANModel
from roigan.corruptions.corruption import Corruption
from roigan.corruptions.sampling import sample
from roigan.errors import UserError
from roigan.evaluation.metrics.sharpness import contrast
from roigan.files import paths
from roigan.game import Nets, play
from roigan.images.arrays import load_split, to_float
from roigan.images.colours import lab
from roigan.inference.export import export
from roigan.losses.adversarial import log_d
from roigan.losses.reconstruction import known_l1
from roigan.systems.conditional_dcgan.system import CENTRED_ON, Discriminator, Generator
from roigan.systems.model import Model
from roigan.training.loop import train
from roigan.training.worker import Worker
from tests.conftest import COLOURING, CONDITIONAL, Small
from tests.test_game import ANY_MASK, batch, build


def narrow(**changes: Any) -> ConditionalDCGANModel:
    return ConditionalDCGANModel(**{"system": "conditional_dcgan", "width": 0.125, **changes})


def top(rows: int, size: int, count: int = 2) -> Tensor:
    return sample("top", count, size, torch.Generator().manual_seed(0), rows / size)


def size_of(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


# --- Networks -----------------------------------------------------------------------------------------


def test_parameter_counts_of_the_table() -> None:
    def G(**changes: Any) -> int:
        return size_of(Generator(64, 3, narrow(width=1.0, **changes)))

    assert G(known_rows=24) == 42_883_651
    assert G(known_rows=24) - G(known_rows=23) == 3 * 64 * 8192  # a weight per number
    assert G(known_rows=0, space="lab") == pytest.approx(38.7e6, rel=1e-3)
    assert G(known_rows=12, noise=4000) == pytest.approx(55.9e6, rel=2e-3)
    assert G(known_rows=None) == pytest.approx(15.0e6, rel=3e-3)
    assert size_of(Discriminator(64, 3, narrow(width=1.0))) == 4_315_649


@pytest.mark.parametrize("size", ConditionalDCGANModel.sides)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rows", [8, None])
def test_shapes_and_merging_at_every_size(size: int, channels: int, rows: int | None) -> None:
    model, M = narrow(known_rows=rows), top(8, size)
    x, z = torch.rand(2, channels, size, size) * 2 - 1, torch.randn(2, 100)
    G, y = Generator(size, channels, model).eval()(x, M, z)
    assert G.shape == x.shape
    assert G.abs().max() <= 1
    assert torch.equal(y, torch.where(M > 0.5, G, x))
    assert Discriminator(size, channels, model)(G).shape == (2,)


@pytest.mark.parametrize("rows", [12, None])
def test_the_membrane_hides_the_edge_in_use_alone(rows: int | None) -> None:
    """A step of brightness between G and what is known is gone at the edge; D sees G as it is."""
    torch.manual_seed(0)
    model, M = narrow(known_rows=rows, blend="membrane"), top(12, 32)
    net, x, z = Generator(32, 3, model), torch.full((2, 3, 32, 32), 0.9), torch.randn(2, 100)
    bare = Generator(32, 3, narrow(known_rows=rows)).eval()
    bare.load_state_dict(net.state_dict())

    def step(y: Tensor) -> float:
        return (y[:, :, 20] - y[:, :, 19]).abs().mean().item()

    blended, pasted = net.eval()(x, M, z), bare(x, M, z)
    assert torch.equal(blended.G, pasted.G)
    assert torch.equal(blended.y[:, :, 20:], x[:, :, 20:])
    assert step(pasted.y) > 0.5
    assert step(blended.y) < 0.1 * step(pasted.y)
    G, seen = net.train()(x, M, z)
    assert torch.equal(seen, G)


@pytest.mark.parametrize("rows", [8, None])
def test_known_rows_are_heard_and_nothing_else(rows: int | None) -> None:
    torch.manual_seed(0)
    G, M, z = Generator(28, 1, narrow(known_rows=rows)), top(8, 28), torch.randn(2, 100)
    x = torch.rand(2, 1, 28, 28)
    made = G(x, M, z).G
    assert torch.equal(made, G(torch.where(M > 0.5, -x, x), M, z).G)
    for pixel in (0, 27), (20, 0), (27, 27):  # of the known corner pixels, each one
        other = x.clone()
        other[0, 0, pixel[0], pixel[1]] += 0.5
        assert torch.equal(made[0], G(other, M, z).G[0]) is (pixel[0] < 20)
    assert not torch.allclose(made, G(x, M, 2 * z).G)  # the length of z matters, and is no norm's victim


def test_a_colouring_g_hears_lightness_and_no_colour() -> None:
    torch.manual_seed(0)
    G, M = Generator(32, 3, narrow(known_rows=0, space="lab")).eval(), torch.ones(2, 1, 32, 32)
    x, z = torch.rand(2, 3, 32, 32) * 2 - 1, torch.randn(2, 100)
    recoloured = Corruption.region("lab", M).complete(x, x.flip(1))
    made, y = G(x, M, z)
    assert torch.allclose(made, G(recoloured, M, z).G, atol=1e-3)
    assert not torch.allclose(made, G(x * 0.5, M, z).G, atol=1e-3)
    assert (lab(y)[:, 0] - lab(x)[:, 0]).abs().max() < 0.1  # soft in training, put back in use: of 100
    grey = x[:, :1].expand(-1, 3, -1, -1)
    assert torch.allclose(Corruption.region("lab", M).complete(grey, grey), grey, atol=2e-3)


def test_the_scale_of_z_is_a_factor() -> None:
    torch.manual_seed(0)
    quiet, loud = (Generator(28, 1, narrow(known_rows=8, noise_scale=scale)) for scale in (1.0, 4.0))
    loud.load_state_dict(quiet.state_dict())
    x, M, z = torch.rand(64, 1, 28, 28), top(8, 28, 64), torch.randn(64, 100)
    heard: list[Tensor] = []
    for G in (quiet, loud):
        G.layers[0].register_forward_hook(lambda layer, inputs, output: heard.append(inputs[0]))
        G(x, M, z)
    assert torch.allclose(heard[1][:, :100], 4 * heard[0][:, :100])
    assert torch.equal(heard[1][:, 100:], heard[0][:, 100:])
    assert heard[0][:, :100].var().item() == pytest.approx(1 / 3, rel=0.05)  # U(-1, 1)
    assert heard[0][:, :100].abs().max() <= 1


# --- Losses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 8, 20])
@pytest.mark.parametrize("channels", [1, 3])
def test_known_is_a_mean_over_known_pixels_and_channels(rows: int, channels: int) -> None:
    x, M = torch.rand(3, channels, 28, 28) - 0.5, top(rows, 28, 3)
    G = (x + 0.5).requires_grad_()
    loss = known_l1(G, x, Corruption.region("identity", M))
    assert loss.item() == pytest.approx(0.5, rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, G)
    assert not (gradient * M).any()
    assert (gradient != 0).all(1, keepdim=True)[M < 0.5].all()


def test_known_of_colouring_is_lightness() -> None:
    x, M = torch.rand(2, 3, 16, 16) - 0.5, torch.ones(2, 1, 16, 16)
    lightness = Corruption.region("lab", M)
    assert known_l1(lightness.complete(x, x.flip(1)), x, lightness) < 1e-3
    expected = (lab(x + 0.1) - lab(x))[:, 0].abs().mean() / 50
    assert known_l1(x + 0.1, x, lightness).item() == pytest.approx(expected.item(), rel=1e-4)


def seen_by_d(system: Any, params: Params) -> tuple[list[Tensor], Any]:
    """What D is shown in a step, and its batch."""
    seen: list[Tensor] = []
    system.nets["D"].register_forward_hook(lambda net, inputs, output: seen.append(inputs[0]))
    made = batch(params, 0)
    play(system.players(), Nets(system.nets), lambda turn: made)
    return seen, made


@pytest.mark.parametrize("forced", [True, False])
def test_d_sees_whole_images_or_merged_ones_where_g_is_forced(small: Small, forced: bool) -> None:
    params = small(**CONDITIONAL, model__forced=forced, train__turns_g=1)
    system = build(params)
    seen, made = seen_by_d(system, params)
    of_g, (real, fake) = seen[0], seen[-1].chunk(2)
    assert torch.equal(real, made.x)
    assert torch.equal(fake, of_g)
    given = made.conditioning
    merged = torch.equal(of_g * (1 - made.M), given * (1 - made.M))
    assert merged is forced  # known rows are those that G was given, bit for bit


def test_a_forced_g_is_asked_for_the_unknown_part_alone(small: Small) -> None:
    params = small(**CONDITIONAL, model__forced=True)
    system, made = build(params), batch(params, 0)
    whole: list[Tensor] = []

    def keep(net: Any, inputs: Any, output: Any) -> None:
        output.G.retain_grad()
        whole.append(output.G)

    system.nets["G"].register_forward_hook(keep)
    terms = system.loss_G(SimpleNamespace(**system.nets), made)
    assert set(terms) == {"adv"}
    terms["adv"].backward()
    assert whole[0].grad is not None
    assert not (whole[0].grad * (1 - made.M)).any()
    assert (whole[0].grad * made.M).any()


def test_two_turns_of_g_on_images_of_their_own(small: Small) -> None:
    params = small(**CONDITIONAL)
    system = build(params)
    G, D = system.players()
    start = {name: value.clone() for name, value in system.nets["D"].state_dict().items()}
    drawn: list[int] = []

    def draw(turn: int) -> Any:
        drawn.append(turn)
        assert all(torch.equal(value, start[name]) for name, value in system.nets["D"].state_dict().items())
        return batch(params, turn)

    play([G, D], Nets(system.nets), draw)
    assert drawn == [0, 1]
    assert (G.turns, D.turns) == (2, 1)
    assert G.optimizer.state[next(iter(system.nets["G"].parameters()))]["step"] == 2


def test_without_adv_d_never_moves(small: Small) -> None:
    params = small(**CONDITIONAL, losses__adv=0.0, losses__lam=0.0, losses__whole=2.0)
    system, made = build(params), batch(params, 0)
    start = {name: value.clone() for name, value in system.nets["D"].state_dict().items()}
    terms = play(system.players(), Nets(system.nets), lambda turn: made)
    assert set(terms) == {"G/whole"}
    assert all(torch.equal(value, start[name]) for name, value in system.nets["D"].state_dict().items())


# --- Theorem 2 ----------------------------------------------------------------------------------------

VALUES = torch.tensor([-1.0, -0.4, 0.3, 1.0])
ONE = torch.tensor([[[0.0, 1.0]]])  # M: of two pixels, the first is known


def game(q: Tensor, p: Tensor, law: Tensor, lam: float) -> Tensor:
    """V(G, D*) + lam E|G_0 - x_0| (31). q[i, j, k]: how often G makes (j, k) of x_0 = i; p[j, k]: the data;
    law[i]: of the x_0 that G is given."""
    p_g = torch.einsum("i,ijk->jk", law, q)
    V = (p * (p / (p + p_g)).log() + p_g * (p_g / (p + p_g)).log()).sum()  # with D* of (32)
    distance = (VALUES[:, None] - VALUES).abs()
    return V + lam * torch.einsum("i,ijk,ij->", law, q, distance)


@pytest.fixture
def toy() -> tuple[Tensor, Tensor]:
    """p(x_0, x_1), and the true conditional as a table of G."""
    p = torch.rand(4, 4, generator=torch.Generator().manual_seed(1)) + 0.05
    p /= p.sum()
    truth = torch.full((4, 4, 4), 1e-12)
    truth[torch.arange(4), torch.arange(4)] = p / p.sum(1, keepdim=True)
    return p, truth


@pytest.mark.parametrize("lam", [0.01, 100.0])
def test_theorem_2_the_true_conditional_is_the_optimum(toy: tuple[Tensor, Tensor], lam: float) -> None:
    p, truth = toy
    assert game(truth, p, p.sum(1), lam).item() == pytest.approx(-math.log(4), abs=1e-5)
    logits = torch.zeros(4, 16, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for step in range(3000):
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * (1 - step / 3000)
        optimizer.zero_grad()
        loss = game(logits.softmax(1).unflatten(1, (4, 4)), p, p.sum(1), lam)
        assert loss > -math.log(4) - 1e-5
        loss.backward()
        optimizer.step()
    found = logits.detach().softmax(1).unflatten(1, (4, 4))
    assert loss.item() == pytest.approx(-math.log(4), abs=1e-2)
    assert (found - truth).abs().max() < 0.05


def test_theorem_2_needs_the_known_part_and_equal_laws(toy: tuple[Tensor, Tensor]) -> None:
    p, truth = toy
    deaf = p.expand(4, 4, 4)  # a G that ignores x_0
    assert game(deaf, p, p.sum(1), 0.0).item() == pytest.approx(-math.log(4), abs=1e-5)
    assert game(deaf, p, p.sum(1), 0.01) > -math.log(4) + 1e-4
    other = torch.tensor([0.7, 0.1, 0.1, 0.1])
    mixed = 0.98 * truth + 0.02 * deaf
    assert game(mixed, p, other, 0.01) < game(truth, p, other, 0.01) - 1e-4


def test_the_losses_are_those_of_the_theorem() -> None:
    """Data (a, a), (a, b), (b, b): G given x_0 makes its true completions; D* says nothing, log 4."""
    data = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])[:, None, None]  # [3, 1, 1, 2]
    made = torch.tensor([[-1.0, 1.0], [-1.0, -1.0], [1.0, 1.0]])[:, None, None]
    D = torch.zeros(3)  # log p / p_g, which are equal
    corruption = Corruption.region("identity", ONE.expand(3, 1, 1, 2))
    total = -log_d(D, D) + 100 * known_l1(made, data, corruption)
    assert total.item() == pytest.approx(-math.log(4))
    assert known_l1(-made, data, corruption) == 2


# --- In use -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(small: Small, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model folders of four steps: known rows, colouring, any mask."""
    folders = {}
    for name, recipe in (("rows", CONDITIONAL), ("colours", COLOURING), ("any", ANY_MASK)):
        scratch = tmp_path_factory.mktemp(name)
        worker = Worker("conditional", prepared, lambda row, folder: None, scratch)
        assert train(small(**recipe, train__steps=4), worker) is None
        folders[name] = scratch / "model"
    return folders


@pytest.mark.parametrize(("name", "space", "rows"), [("rows", "identity", 12), ("colours", "lab", 0)])
def test_g_hears_what_is_known_less_its_mean(
    trained: dict[str, Path], prepared: Path, name: str, space: str, rows: int
) -> None:
    x, G = to_float(load_split(prepared / paths.PREPARED, "train")[:CENTRED_ON]), Model.load(trained[name]).G
    M, z = top(rows, 32, len(x)) if rows else torch.ones_like(x[:, :1]), torch.randn(len(x), 100)
    heard: list[Tensor] = []
    G.layers[0].register_forward_hook(lambda layer, inputs, output: heard.append(inputs[0][:, 100:]))
    G(x, M, z)
    G(x[:1], M[:1], z[:1])
    assert heard[0].mean(0).abs().max() < 1e-4
    assert heard[0].square().sum() < Corruption.region(space, M).known(x).square().sum()
    assert torch.allclose(heard[0][:1], heard[1], atol=1e-6)  # whatever else is in the batch


def test_convolutions_say_nothing_of_an_average_image(trained: dict[str, Path]) -> None:
    G, M = Model.load(trained["any"]).G, top(12, 32)
    assert G.mean.any()
    average = G.mean.expand(2, -1, -1, -1).clone()
    average[1, :, 20:] += 0.5
    known = (1 - M) * (average - G.mean)
    heard = G.condition(known, M)
    assert not heard[0].any()
    assert heard[1].any()


def test_a_model_completes_scores_and_is_exported(trained: dict[str, Path], tmp_path: Path) -> None:
    model = Model.load(trained["rows"])
    assert model.verbs == ("complete", "score")
    x, M = torch.rand(2, 3, 32, 32), top(12, 32)
    y = model.complete(x, M, model.latent(2, torch.Generator().manual_seed(0)))
    assert torch.equal(y[:, :, 20:], x[:, :, 20:])
    assert not torch.equal(y[:, :, :20], x[:, :, :20])
    best = best_of(model, 3)(x, M, torch.Generator().manual_seed(0))
    once = best_of(model, 1)(x, M, torch.Generator().manual_seed(0))
    assert (model.score(best) >= model.score(once)).all()
    export(Model.load(trained["any"]), tmp_path / "any.pt2")
    with pytest.raises(UserError, match="knows one region only"):  # a file takes any mask
        export(model, tmp_path / "rows.pt2")


@pytest.mark.parametrize("changed", ["more rows", "columns", "all"])
def test_a_dense_model_refuses_another_mask(trained: dict[str, Path], changed: str) -> None:
    M = {"more rows": top(16, 32), "columns": top(12, 32).mT.contiguous(), "all": torch.ones(2, 1, 32, 32)}
    x, z = torch.rand(2, 3, 32, 32), torch.randn(2, 100)
    with pytest.raises(UserError, match="knows one region only, that of its known_rows"):
        Model.load(trained["rows"]).complete(x, M[changed], z)
    Model.load(trained["any"]).complete(x, M[changed], z)


def test_a_colouring_keeps_lightness(trained: dict[str, Path]) -> None:
    model = Model.load(trained["colours"])
    x, M = torch.rand(2, 3, 32, 32), torch.ones(2, 1, 32, 32)
    y = model.complete(x, M, torch.randn(2, 100))
    assert (lab(y)[:, 0] - lab(x)[:, 0]).abs().max() < 0.1
    assert (lab(y)[:, 1:] - lab(x)[:, 1:]).abs().mean() > 1


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({**COLOURING, "data__channels": 1}, "lab needs colours, but data.channels is 1"),
        ({**CONDITIONAL, "masks.known_share": 0.0}, "top keeps known_share of all rows, which is 0 of 32"),
        ({**CONDITIONAL, "masks.known_share": 1.0}, "top keeps known_share of all rows, which is 32 of 32"),
        ({**CONDITIONAL, "model__known_rows": 32}, "known_rows is 32 of 32: no row is left to generate"),
        ({**CONDITIONAL, "masks.known_share": 0.5}, "must be top alone and masks.known_share: 0.375"),
        ({**CONDITIONAL, "masks.train": {"top": 1, "half": 1}}, "must be top alone"),
        ({**CONDITIONAL, "masks.evaluate": ["top", "centre"]}, "must be top alone"),
        ({**COLOURING, "masks.train": {"ellipse": 1}}, "must be grey alone"),
        ({**CONDITIONAL, "losses": {"adv": 0.0, "lam": 0.0}}, "adv, lam and whole are all 0"),
        ({**CONDITIONAL, "model__noise_scale": 0.0}, "model.noise_scale"),
        ({**COLOURING, "model__blend": "membrane"}, "blend is membrane: colours alone have no edge"),
        (
            {**CONDITIONAL, "model__blend": "membrane", "data__image_size": 28, "masks.known_share": 12 / 28},
            "blend is membrane, which halves the side, and 28 is no power of 2",
        ),
        ({**ANY_MASK, "masks.train": {"whole": 1}}, "whole leaves nothing known"),
    ],
)
def test_bad_input_is_one_line(small: Small, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=line) as caught:
        small(**changes)
    assert "\n" not in str(caught.value)


# --- Measures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [1, 8, 27])
def test_top_keeps_the_lowest_rows(known: int) -> None:
    M = top(known, 28, 3)
    assert M.shape == (3, 1, 28, 28)
    assert (M[:, :, : 28 - known] == 1).all()
    assert (M[:, :, 28 - known :] == 0).all()


def test_sharpness() -> None:
    generator = torch.Generator().manual_seed(0)
    x, M = torch.rand(2, 3, 16, 16, generator=generator), top(4, 16)
    real = contrast(x, M)
    assert contrast(0 * x + 0.3, M) == 0
    assert (contrast(0.5 * x, M) / real).item() == pytest.approx(0.5)
    assert contrast(torch.where(M > 0.5, x, -x), M) == real  # what is known does not count, nor does the seam
    colours = x - x.mean(1, keepdim=True)
    assert contrast(x + 0.5 * colours, M).item() == pytest.approx(real.item(), rel=1e-5)


def test_labels_are_counted_by_image() -> None:

    labels = np.array([[3, 0], [3, 9], [1, 9]])  # three fillings of two images
    found = counts(labels)
    assert found.shape == (2, 10)
    assert found[0, 3] == 2
    assert found[1, 9] == 2
    assert found.sum() == 6
