"""ChromaGAN: the counts of the paper's table, L kept, every loss in closed form, and colours for files."""

from __future__ import annotations

import math
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from roigan.cli import main as cli
from roigan.config import EvaluateParams, FeatureParams, Gate, NaturalParams
from roigan.config.evaluation import COLOURINGS
from roigan.config.systems.chromagan import ChromaGANModel
from roigan.corruptions.corruption import SPACES, Corruption
from roigan.errors import UserError
from roigan.evaluation.colouring import rivals, transferred
from roigan.evaluation.completion import COLUMNS, ORDER, in_order, measure, methods
from roigan.evaluation.methods import generated
from roigan.evaluation.metrics import colour
from roigan.evaluation.metrics.pixels import psnr
from roigan.evaluation.metrics.records import COLOURS
from roigan.features import natural
from roigan.features.classes import Clusters, entropy, load_teacher, make_teacher
from roigan.features.local import LocalTrunk
from roigan.features.network import FeatureNetwork, calibrate, load_features
from roigan.files import paths
from roigan.game import Batch, Nets, StepRandom, play
from roigan.images.arrays import load_split, to_float, to_uint8
from roigan.images.colours import lab
from roigan.losses.adversarial import gradient_penalty
from roigan.losses.latent import kl_categorical
from roigan.report.page import training_verdict
from roigan.systems.chromagan.system import UNIT, ChromaGAN, Classes, Critic, Generator, pull
from roigan.systems.interface import Given
from roigan.systems.model import Model, save_model
from roigan.training.loop import train
from roigan.training.worker import Worker
from tests.conftest import CHROMAGAN, Small, drawn_faces

LAB = SPACES["lab"]
NARROW = ChromaGANModel(system="chromagan", width=0.125)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("width", "parts", "G", "C", "D"),
    [
        (1.0, (7_639_488, 9_443_328, 2_754_304, 3_541_248, 556_130), 23_934_498, 3_151_876, 2_764_737),
        (0.25, (479_088, 591_360, 172_480, 221_760, 34_970), 1_499_658, 198_148, 175_089),
    ],
)
def test_parameter_counts(width: float, parts: tuple[int, ...], G: int, C: int, D: int) -> None:
    """Those of the paper's layers at 64 px, with L alone and with group norm; D without its last bias."""
    model = ChromaGANModel(system="chromagan", width=width)
    net = Generator(64, 3, model)
    assert tuple(map(count, (net.trunk, net.whole, net.vector, net.middle, net.decoder))) == parts
    assert (count(net), count(Classes(net.seen, 4, model)), count(Critic(64, 3, model)) + 1) == (G, C, D)


@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_shapes(size: int) -> None:
    G, x = Generator(size, 3, NARROW), torch.rand(2, 3, size, size) * 2 - 1
    found = G(x, torch.ones(2, 1, size, size))
    assert found.y is None  # in training nobody asks for RGB
    assert found.ab.shape == (2, 2, size, size)
    assert Classes(G.seen, 5, NARROW)(found.seen).shape == (2, 5)
    assert Critic(size, 3, NARROW)(x).shape == (2, (size // 8) ** 2)
    y = G.eval()(x, torch.ones(2, 1, size, size)).y
    assert y.shape == x.shape


def images(count: int, size: int = 32, seed: int = 0) -> Tensor:
    return to_float(drawn_faces(count, size, seed))


def test_lightness_stays_and_colours_are_not_seen() -> None:
    torch.manual_seed(0)
    G, x = Generator(32, 3, NARROW).eval(), images(6)
    nn.init.normal_(G.decoder[-1].weight)  # loud colours, some of which RGB does not have
    M = torch.ones(6, 1, 32, 32)
    found = G(x, M)
    y = to_float(to_uint8(found.y))
    assert 50 * Corruption.region("lab", M).residual(y, x)[:, 0].max() < 0.5  # of L's 100
    assert (lab(y)[:, 1:] - lab(x)[:, 1:]).abs().mean() > 5
    others = Corruption.region("lab", M).complete(x, x.roll(1, 0))  # the same L, other colours
    assert (G(others, M).ab - found.ab).abs().max() < 1e-3  # as far as RGB and back is exact


def test_no_colours_are_the_grey_picture_and_a_region_stays_inside() -> None:
    G, x = Generator(32, 3, NARROW).eval(), images(4)
    nn.init.zeros_(G.decoder[-1].weight)
    nn.init.zeros_(G.decoder[-1].bias)
    M = torch.zeros(4, 1, 32, 32)
    M[..., 8:20, 8:20] = 1
    whole, y, _, _ = G(x, M)
    assert (whole.amax(1) - whole.amin(1)).max() < 1e-4
    assert (lab(whole)[:, 0] - lab(x)[:, 0]).abs().max() < 0.1
    outside = (M < 0.5).expand_as(x)
    assert torch.equal(y[outside], x[outside])
    assert torch.equal(y[~outside], whole[~outside])


# --- Losses --------------------------------------------------------------------------------------------


def test_the_divergence_of_classes_has_a_direction() -> None:
    p, q = torch.tensor([[0.9, 0.1], [0.5, 0.5]]), torch.tensor([[0.5, 0.5], [0.2, 0.8]])
    expected = (p * (p / q).log()).sum(1).mean()
    assert kl_categorical(p, q.log()).item() == pytest.approx(expected.item(), rel=1e-5)
    assert kl_categorical(q, p.log()).item() != pytest.approx(expected.item(), rel=0.05)
    assert kl_categorical(p, p.log() + 3).item() == pytest.approx(0, abs=1e-6)


def test_a_critic_of_lightness_alone_has_a_penalty_of_one() -> None:
    """The gradient is taken by a, b, which such a critic does not look at; everywhere, it would see it."""
    corruption = Corruption.region("lab", torch.ones(3, 1, 8, 8))
    t, other, a = torch.rand(3, 3, 8, 8), torch.rand(3, 3, 8, 8), torch.rand(3)

    def score(t: Tensor) -> Tensor:
        return 7 * t[:, 0].sum((1, 2))

    assert gradient_penalty(score, t, other, corruption.M, a, "inside").item() == pytest.approx(1, abs=1e-5)
    assert gradient_penalty(score, t, other, corruption.M, a, "everywhere") > 100


class Flat(nn.Module):
    """In the place of G: the same a, b for whatever it is given."""

    def __init__(self, ab: Tensor) -> None:
        super().__init__()
        self.ab = nn.Parameter(ab)

    def forward(self, x: Tensor, M: Tensor) -> Any:
        return SimpleNamespace(ab=self.ab, seen=None)


def batch(x: Tensor, labels: Tensor | None = None, step: int = 0) -> Batch:
    M = torch.ones_like(x[:, :1])
    return Batch(x, Corruption.region("lab", M), StepRandom(0, step, len(x)), step, x, labels)


@pytest.mark.parametrize("size", [32, 64])
def test_the_critic_pulls_as_hard_as_asked(small: Small, size: int) -> None:
    """Norms of both gradients at G's output, for an error of 0.04 of the range and a critic of slope 1."""
    told: dict[str, Any] = CHROMAGAN | {"losses": {"classes": 0.0, "balance": 0.5}, "features.classes": None}
    system = ChromaGAN(small(**told, data__image_size=size), Given(perceptual=None))
    grey = torch.zeros(2, 3, size, size)
    error = torch.randn(2, 2, size, size, generator=torch.Generator().manual_seed(0)) * 0.04 / UNIT
    slope = torch.randn(3, size, size)
    slope[0] = 0
    slope /= slope.norm()
    G = Flat(LAB.select(LAB.to(grey)) + error)
    nets = SimpleNamespace(G=G, D=lambda t: (slope * t).sum((1, 2, 3))[:, None])
    norms = {}
    for term, value in system.loss_G(nets, batch(grey)).items():
        (gradient,) = torch.autograd.grad(value, G.ab, retain_graph=True)
        norms[term] = gradient.norm().item()
    assert norms["adv"] / norms["ab"] == pytest.approx(0.5, rel=0.1)


def test_the_losses_of_both_players_in_closed_form(small: Small) -> None:
    system = ChromaGAN(
        small(**CHROMAGAN | {"losses": {"classes": 0.0}, "features.classes": None}),
        Given(perceptual=None),
    )
    x = images(4)
    true = LAB.select(LAB.to(x))
    nets = SimpleNamespace(G=Flat(true + 0.1), D=lambda t: t[:, 1:].mean((1, 2, 3))[:, None])
    ours = batch(x)
    loss_G, loss_D = system.loss_G(nets, ours), system.loss_D(nets, ours)
    assert loss_G["ab"].item() == pytest.approx((0.1 * 128 / 255) ** 2, rel=1e-4)
    assert loss_G["adv"].item() == pytest.approx(-pull(0.5, 32) * (true.mean().item() + 0.1), rel=1e-3)
    assert loss_D["adv"].item() == pytest.approx(0.1, rel=1e-3)  # E D(fake) - E D(real)
    slope = 1 / math.sqrt(2 * 32 * 32)  # of a mean over 2,048 numbers
    assert loss_D["gp"].item() == pytest.approx(10 * 4 * (slope - 1) ** 2, rel=1e-3)  # at every 4th step


def test_nothing_is_built_that_nothing_trains(small: Small) -> None:
    teacher = SimpleNamespace(classes=3)
    nets = {}
    for classes, balance in ((0.003, 0.5), (0.0, 0.5), (0.003, 0.0), (0.0, 0.0)):
        told = CHROMAGAN | {"losses": {"classes": classes, "balance": balance}}
        system = ChromaGAN(small(**told), Given(None, teacher=teacher))
        nets[classes > 0, balance > 0] = "".join(sorted(system.nets))
        assert [player.name for player in system.players()] == (["G", "D"] if balance else ["G"])
    assert nets == {
        (True, True): "CDG",
        (False, True): "DG",
        (True, False): "CG",
        (False, False): "G",
    }
    with pytest.raises(UserError, match="say what tells the classes"):
        small(**CHROMAGAN | {"features.classes": None})
    with pytest.raises(UserError, match=r"data\.channels is 1"):
        small(**CHROMAGAN, data__channels=1)


@pytest.mark.slow
def test_sixteen_images_are_learnt_by_heart(small: Small) -> None:
    """28 dB, as true colours have at a quarter of the resolution (half: 31): G makes colours in small, and
    these images have noise and hard edges. Grey has 17."""
    told = CHROMAGAN | {"losses": {"classes": 0.0, "balance": 0.0}, "model.width": 0.25}
    told |= {"model": {"system": "chromagan", "width": 0.25}, "train.lr_g": 2e-3, "train.batch_size": 16}
    torch.manual_seed(0)
    system = ChromaGAN(small(**told), Given(None))
    x, nets, players = images(16), Nets(system.nets), system.players()
    steps = 400
    for step in range(steps):
        for group in players[0].optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, 2 * (1 - step / steps))
        play(players, nets, lambda turn: batch(x))
    y = system.nets["G"].eval()(x, torch.ones(16, 1, 32, 32)).y
    assert psnr(to_float(to_uint8(y)), x).mean() > 27


@pytest.mark.parametrize(("losses", "well"), [([-0.1, -0.3, -0.4], True), ([-0.1, 0.2, 0.1], False)])
def test_a_generator_that_runs_ahead_is_spoken_of(losses: list[float], well: bool) -> None:
    verdict = training_verdict(pd.DataFrame({"D/adv": losses}), ChromaGAN.chance_level(None))
    assert verdict[0] is well
    assert ("ran ahead:" in verdict[1]) is not well


# --- Classes -------------------------------------------------------------------------------------------


def network(train: np.ndarray) -> FeatureNetwork:
    torch.manual_seed(0)
    features = FeatureNetwork("local", LocalTrunk(3, 4))
    calibrate(features, train)
    return features


def prepared_with(folder: Path, train: np.ndarray, labels: list[int] | None) -> Path:
    folder.mkdir()
    np.save(folder / "train.npy", train)
    table = {
        "split": ["train"] * len(train),
        "index": range(len(train)),
        "label": labels or [None] * len(train),
    }
    pd.DataFrame(table).to_parquet(folder / "manifest.parquet")
    return folder


def test_clusters_share_images_with_an_entropy_of_one_nat(tmp_path: Path) -> None:
    train = drawn_faces(120, 32, 0)
    folder = prepared_with(tmp_path / "prepared", train, None)
    params = FeatureParams(network="local", classes="clusters", clusters=5)
    make_teacher(folder, network(train), params, tmp_path)
    teacher = load_teacher(tmp_path, network(train))
    assert isinstance(teacher, Clusters)
    y_v = teacher(to_float(train), None)
    assert y_v.shape == (120, 5)
    assert torch.allclose(y_v.sum(1), torch.ones(120))
    assert entropy(y_v).mean().item() == pytest.approx(1, abs=0.02)
    nearest = torch.cdist(network(train).embed(to_float(train)), teacher.centres).argmin(1)
    assert torch.equal(y_v.argmax(1), nearest)
    with pytest.raises(UserError, match=r"features\.clusters is 7, more than a twentieth of the 120"):
        make_teacher(folder, network(train), params.model_copy(update={"clusters": 7}), tmp_path)


def test_labels_are_smoothed_and_missed_by_name(tmp_path: Path) -> None:
    train = drawn_faces(4, 32, 0)
    params = FeatureParams(network="local", classes="labels")
    make_teacher(prepared_with(tmp_path / "a", train, [0, 2, 1, 2]), network(train), params, tmp_path)
    teacher = load_teacher(tmp_path, network(train))
    assert teacher is not None
    y_v = teacher(to_float(train), torch.tensor([0, 2, 1, 2]))
    assert y_v[1].tolist() == pytest.approx([0.05 / 3, 0.05 / 3, 0.95 + 0.05 / 3])
    with pytest.raises(UserError, match="the data has none; take clusters"):
        make_teacher(prepared_with(tmp_path / "b", train, None), network(train), params, tmp_path)
    assert load_teacher(tmp_path / "b", network(train)) is None


def test_imagenet_classes_come_with_a_package(tmp_path: Path) -> None:
    from roigan.datasets.photos import load_pictures

    train = drawn_faces(2, 32, 0)
    folder = prepared_with(tmp_path / "prepared", train, None)
    params = FeatureParams(network="local", classes="imagenet")
    make_teacher(folder, network(train), params, tmp_path)
    teacher = load_teacher(tmp_path, network(train))
    assert teacher is not None
    cat = load_pictures()["chelsea.png"].crop((60, 0, 360, 300)).resize((128, 128))
    y_v = teacher(to_float(np.asarray(cat)[None]), None)
    assert y_v.shape == (1, 1000)
    assert 281 <= y_v.argmax().item() <= 285  # tabby, tiger cat, Persian, Siamese, Egyptian cat


# --- Metrics, rivals and the judge ---------------------------------------------------------------------


def test_metrics_of_colours_in_closed_form() -> None:
    x = images(3)
    grey = x.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    assert colour.colourfulness(grey).abs().max() < 1e-3
    off = to_uint8(x.clamp(-0.9, 0.9))
    assert psnr(to_float(off + 1), to_float(off))[0].item() == pytest.approx(48.13, abs=0.01)
    # half of the pixels red, half blue: rg = +-127.5 around 127.5, yb = 127.5 or -255
    halves = torch.full((1, 3, 2, 2), -1.0)
    halves[:, 0, 0], halves[:, 2, 1] = 1, 1
    deviation = math.hypot(127.5, 191.25)
    assert colour.colourfulness(halves).item() == pytest.approx(
        deviation + 0.3 * math.hypot(127.5, -63.75), rel=1e-5
    )
    p, q = colour.histogram(x), colour.histogram(grey)
    assert (q > 0).sum() == 1  # rounding does not spread grey over four cells
    assert colour.js(p, p) == pytest.approx(0, abs=1e-12)
    assert colour.js(p, q) == pytest.approx(colour.js(q, p))
    first, second = torch.eye(2, dtype=torch.float64)
    assert colour.js(first, second) == pytest.approx(math.log(2))
    shifted = LAB.back(LAB.to(x) + torch.tensor([0.0, 2 / 128, 0.0]).view(1, 3, 1, 1))
    assert colour.psnr_ab(shifted, x).min().item() == pytest.approx(
        20 * math.log10(255 / math.sqrt(2)), abs=0.5
    )


def test_rivals_keep_lightness_and_know_what_they_should() -> None:
    train, x = drawn_faces(60, 32, 1), images(5)
    M, generator = torch.ones(5, 1, 32, 32), torch.Generator().manual_seed(0)
    found = {name: fill(x, M, generator) for name, fill in rivals(train).items()}
    for y in found.values():
        assert 50 * Corruption.region("lab", M).residual(to_float(to_uint8(y)), x)[:, 0].max() < 0.5
    assert colour.colourfulness(found["grey"]).max() < 0.01
    mine = to_float(train[:5])
    again = rivals(train)["nearest"](mine, M, generator)
    assert np.abs(to_uint8(again).astype(int) - train[:5]).max() <= 1  # its own colours
    known = {name: psnr(fill(mine, M, generator), mine).mean() for name, fill in rivals(train).items()}
    assert known["nearest"] > known["ridge"] > known["by_lightness"] > known["mean"] > known["grey"] - 3
    others = Corruption.region("lab", M).complete(x, x.roll(1, 0))
    for name, fill in rivals(train).items():
        if name not in ("random", "welsh"):  # Welsh decides pixel by pixel: rounding may tip it
            difference = fill(others, M, torch.Generator()) - fill(x, M, torch.Generator())
            assert difference.abs().mean() < 1e-3, name


def test_colours_are_moved_to_pixels_of_like_lightness() -> None:
    """A ramp of L, of which the dark half is red and the bright half blue, gives its colours to another."""
    L = torch.linspace(-0.8, 0.8, 32).expand(1, 1, 32, 32)
    ab = torch.where(L < 0, 0.5, -0.5).expand(1, 2, 32, 32)
    moved = transferred(L.mT, torch.cat([L, ab], 1))
    assert (moved == ab.mT).float().mean() > 0.95


def test_a_gate_compares_with_what_the_table_has() -> None:
    assert set(COLOURINGS) == set(rivals(drawn_faces(8, 32, 0)))
    Gate(metric="fid", mask="grey", below="ridge")
    with pytest.raises(ValueError, match="under grey no table has fmm; compare with grey, mean"):
        Gate(metric="fid", mask="grey", below="fmm")


class Judged:
    """A judge of colours that likes red."""

    def threshold(self, images: np.ndarray, share: float) -> float:
        return 0.5

    def __call__(self, x: Tensor) -> Tensor:
        return x[:, 0].mean((1, 2))


def test_the_table_has_columns_of_colours() -> None:
    train, test = drawn_faces(40, 32, 1), drawn_faces(12, 32, 0)
    features = network(train)
    params = EvaluateParams(batch_size=8, diversity_images=4, diversity_samples=2)
    masks = {"grey": torch.ones(1, 1, 32, 32)}
    some = {name: fill for name, fill in rivals(train).items() if name in ("grey", "nearest")}
    table = measure(some, test, masks, features, params, space="lab").table.set_index("method")
    assert list(table.columns) == [*COLUMNS[1:], *COLOURS]
    assert table["natural"].isna().all()  # there is no judge
    assert (table.loc["real", "colour"], table.loc["real", "js"]) == (1, 0)
    assert table.loc["grey", "colour"] < 0.01 < 0.5 < table.loc["nearest", "colour"]
    assert table.loc["real", "psnr_ab"] > table.loc["nearest", "psnr_ab"]
    assert table.loc["grey", "js"] > table.loc["nearest", "js"] > 0
    features.natural = Judged()  # type: ignore[assignment]
    again = measure(some, test, masks, features, params, space="lab")
    expected = (to_float(test)[:, 0].mean((1, 2)) >= 0.5).float().mean().item()
    assert again.table.set_index("method").loc["real", "natural"] == pytest.approx(expected)
    assert again.scored["grey", "grey"].means["natural"].shape == (12,)


@pytest.mark.parametrize(
    ("shares", "trusted"), [((0.87, 0.5, 0.4, 0.1), True), ((0.87, 0.4, 0.5, 0.1), False)]
)
def test_a_judge_that_ranks_wrongly_is_not_trusted(shares: tuple[float, ...], trusted: bool) -> None:
    table = pd.DataFrame({"method": ORDER, "mask": "grey", "natural": shares})
    assert in_order(table) is trusted
    assert in_order(table[:2])  # there is nothing to rank


def test_the_judge_passes_the_share_and_sees_no_test_image(tmp_path: Path) -> None:
    """It is trained on a folder that holds nothing but training images."""
    train, test = drawn_faces(200, 32, 0), drawn_faces(100, 32, 1)
    train[..., 0] //= 4  # nothing is ever red
    test[..., 0] //= 4
    np.save(tmp_path / "train.npy", train)
    params = NaturalParams(steps=80, width=8, batch_size=16)
    natural.make_natural(tmp_path, params, tmp_path)
    judge = natural.load_natural(tmp_path)
    assert judge is not None
    threshold = judge.threshold(test, 0.871)

    def share(x: Tensor) -> float:
        return (judge(x) >= threshold).float().mean().item()

    x = to_float(test)
    turned = LAB.back(natural.turned(LAB.to(x), torch.Generator().manual_seed(0)))
    assert share(x) == pytest.approx(0.871, abs=0.011)
    assert share(turned) < 0.5
    (tmp_path / "again").mkdir()
    natural.make_natural(tmp_path, params, tmp_path / "again")
    assert (tmp_path / "again" / natural.FILE).read_bytes() == (tmp_path / natural.FILE).read_bytes()


def two_kinds(n: int, seed: int) -> np.ndarray:
    """Ramps of L to the right, which are orange, and to the left, which are blue, of every saturation:
    uint8 [n, 32, 32, 3]."""
    generator = torch.Generator().manual_seed(seed)
    kind = torch.where(torch.rand(n, 1, 1, 1, generator=generator) < 0.5, 1.0, -1.0)
    L = kind * torch.linspace(-0.5, 0.5, 32) + 0.05 * torch.randn(n, 1, 32, 32, generator=generator)
    ab = kind * (0.08 + 0.32 * torch.rand(n, 1, 1, 1, generator=generator))
    return to_uint8(LAB.back(torch.cat([L, ab.expand(-1, 2, 32, 32)], 1)))


def test_the_judge_does_not_mind_paleness(tmp_path: Path) -> None:
    """Right colours at 0.64 of their saturation, which is what the mean of the 5 nearest has, pass; with
    faded and blurred colours among the faults a third did."""
    np.save(tmp_path / "train.npy", two_kinds(400, 0))
    natural.make_natural(tmp_path, NaturalParams(steps=160, width=8, batch_size=16), tmp_path)
    judge = natural.load_natural(tmp_path)
    assert judge is not None
    test = two_kinds(200, 1)
    threshold, t = judge.threshold(test, 0.871), LAB.to(to_float(test))

    def share(saturation: float) -> float:
        pale = LAB.back(t * torch.tensor([1, saturation, saturation])[:, None, None])
        return (judge(to_float(to_uint8(pale))) >= threshold).float().mean().item()

    assert share(0.64) > 0.55
    assert share(0) < 0.05


def test_a_fault_is_a_wrong_colour_or_hardly_any() -> None:
    """Colours that are only paler, only louder or only blurred are none: of two images of one even colour
    each, 90 degrees apart, a fault turns the hue or leaves a fifth at most."""
    ab = torch.tensor([[0.3, 0.0], [0.0, 0.3]])
    t = torch.cat([torch.zeros(2, 1, 8, 8), ab[..., None, None].expand(-1, -1, 8, 8)], 1)
    for fault in natural.FAULTS:
        for seed in range(20):
            spoilt = fault(t, torch.Generator().manual_seed(seed))[:, 1:].mean((2, 3))
            saturation, along = spoilt.norm(dim=1) / 0.3, (spoilt * ab).sum(1) / 0.09
            assert ((saturation < 0.201) | (along < 0.95 * saturation)).all(), fault.__name__


def test_faults_keep_lightness() -> None:
    t = LAB.to(images(8))
    for fault in natural.FAULTS:
        spoilt = fault(t, torch.Generator().manual_seed(0))
        assert torch.equal(spoilt[:, 0], t[:, 0])
        assert (spoilt - t).abs().mean() > 0.005
    norms = natural.turned(t, torch.Generator().manual_seed(0))[:, 1:].norm(dim=1) - t[:, 1:].norm(dim=1)
    assert norms.abs().max() < 1e-5


# --- From parameters to coloured files -----------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(small: Small, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The parameters and the model folder of four steps."""
    params = small(**CHROMAGAN | {"losses": {"classes": 0.0}, "features.classes": None}, train__steps=4)
    scratch = tmp_path_factory.mktemp("chromagan")
    assert train(params, Worker("chromagan", prepared, lambda row, folder: None, scratch)) is None
    return params, scratch / "model"


def test_it_is_trained_kept_and_evaluated(trained: tuple[Any, Path], prepared: Path) -> None:
    params, folder = trained
    assert {path.name for path in folder.iterdir()} == {"generator.safetensors", "config.json"}
    model = Model.load(folder)
    named = methods(params, model, load_split(prepared / paths.PREPARED, "train"))
    assert list(named)[:2] == ["chromagan", "grey"]
    test, masks = load_split(prepared / paths.PREPARED, "test"), {"grey": torch.ones(1, 1, 32, 32)}
    few = params.evaluate.model_copy(update={"diversity_images": 2, "diversity_samples": 2})
    features = load_features(prepared / paths.FEATURES)
    own = {"chromagan": generated(model)}
    row = measure(own, np.asarray(test), masks, features, few, space="lab").table.iloc[0]
    assert row["diversity"] == 0  # one colouring


def test_grey_pictures_teach_no_colours(small: Small, prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared, tmp_path / "project")
    file = tmp_path / "project" / paths.PREPARED / "train.npy"
    images = np.load(file)
    images[: len(images) // 2 + 1] = images[: len(images) // 2 + 1, ..., :1]
    np.save(file, images)
    params = small(**CHROMAGAN | {"losses": {"classes": 0.0}, "features.classes": None})
    worker = Worker("grey", tmp_path / "project", lambda row, folder: None, tmp_path / "scratch")
    with pytest.raises(UserError, match="over half of the training images are grey"):
        train(params, worker)


def save(picture: Any, path: Path) -> None:
    Image.fromarray(picture).save(path) if isinstance(picture, np.ndarray) else picture.save(path)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["roigan", "complete", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model with loud colours that nobody has trained."""
    torch.manual_seed(0)
    G = Generator(32, 3, NARROW)
    nn.init.normal_(G.decoder[-1].weight, std=0.5)
    folder = tmp_path_factory.mktemp("painter")
    config = {"system": "chromagan", "image_size": 32, "channels": 3, "model": NARROW.model_dump()}
    save_model(folder, {"G": G}, config)
    return folder


GREY = np.random.default_rng(0).integers(30, 226, (45, 71), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["L", "1", "LA", "RGB", "RGBA", "I;16", "16-bit RGB"])
def test_pictures_of_any_size_and_mode_get_colours(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, painter: Path, capsys: Any
) -> None:
    import cv2

    given, out = tmp_path / "in.png", tmp_path / "out.png"
    if kind == "I;16":
        Image.fromarray(GREY.astype(np.uint16) * 257).save(given)
    elif kind == "16-bit RGB":
        cv2.imwrite(str(given), np.repeat(GREY[..., None], 3, -1).astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(GREY).convert(kind)
        if kind in ("LA", "RGBA"):
            picture.putalpha(Image.fromarray(255 - GREY))
        picture.save(given)
    assert run(monkeypatch, "--model", painter, "--image", given, "--colour", "--out", out) == 0
    assert capsys.readouterr().err == ""  # the picture has no colours to be passed over
    done = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert done.shape == (45, 71, 4 if kind in ("LA", "RGBA") else 3)
    assert done.dtype == (np.uint16 if "16" in kind else np.uint8)
    if done.shape[-1] == 4:
        assert np.array_equal(done[..., 3], 255 - GREY)  # what shines through stays
    top = np.iinfo(done.dtype).max
    y = torch.from_numpy(done[..., 2::-1].copy().astype(np.float32) / top * 2 - 1).movedim(-1, 0)[None]
    before = np.asarray(Image.fromarray(GREY).convert("1")) * 255 if kind == "1" else GREY
    x = to_float(np.repeat(before[None, ..., None], 3, -1).astype(np.uint8))
    assert (lab(y)[:, 0] - lab(x)[:, 0]).abs().max() < 0.5
    if kind != "1":  # black and white have no colours
        assert lab(y)[:, 1:].abs().mean() > 5


def test_a_mask_recolours_inside_alone_and_own_colours_are_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, painter: Path, capsys: Any
) -> None:
    levels = np.random.default_rng(1).integers(0, 256, (40, 52, 3), dtype=np.uint8)
    mask = np.zeros((40, 52), np.uint8)
    mask[5:30, 10:40] = 255
    save(levels, tmp_path / "in.png")
    save(mask, tmp_path / "mask.png")
    given = ("--model", painter, "--image", tmp_path / "in.png", "--colour")
    assert run(monkeypatch, *given, "--mask", tmp_path / "mask.png", "--out", tmp_path / "in-mask.png") == 0
    assert capsys.readouterr().err.count("only the lightness of pictures is looked at") == 1
    done = np.asarray(Image.open(tmp_path / "in-mask.png"))
    assert np.array_equal(done[mask == 0], levels[mask == 0])
    assert (done[mask > 0] != levels[mask > 0]).any(-1).mean() > 0.9
    # whatever colours it had: the same picture in grey comes out alike
    only_L = Corruption.region("lab", torch.ones(1, 1, 40, 52)).joined(
        to_float(levels[None]), torch.zeros(1, 3, 40, 52)
    )
    save(to_uint8(only_L)[0], tmp_path / "grey.png")
    for name in ("in", "grey"):
        given = ("--model", painter, "--image", tmp_path / f"{name}.png", "--colour")
        assert run(monkeypatch, *given, "--out", tmp_path / f"{name}-done.png") == 0
    one, two = (np.asarray(Image.open(tmp_path / f"{name}-done.png")).astype(int) for name in ("in", "grey"))
    # 28 of 255 if its colours were seen; L is rounded to 8 bits in the grey one, and this model is loud
    assert np.abs(one - two).mean() < 4


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "--mask is missing"),
        (("--colour", "--seed", "1", "2"), "chromagan makes one picture of every picture"),
        (("--colour", "--image", "floats.tif"), "32-bit numbers holds no colours"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: tuple[str, ...],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    painter: Path,
    capsys: Any,
) -> None:
    monkeypatch.chdir(tmp_path)
    save(GREY, tmp_path / "in.png")
    Image.fromarray(GREY.astype(np.float32)).save(tmp_path / "floats.tif")
    given = ("--model", painter, "--image", "in.png", "--out", "out.png", *arguments)
    assert run(monkeypatch, *given) == 2
    assert complaint in capsys.readouterr().err
    assert not Path("out.png").exists()
