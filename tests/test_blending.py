"""Blending: known pixels stay, surroundings go on smoothly, and a filling keeps its gradients."""

import torch

from roigan.corruptions.families import FAMILIES
from roigan.corruptions.sampling import sample
from roigan.images.blending import continuation, membrane


def test_known_pixels_stay_and_a_plain_picture_is_continued() -> None:
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    plain = torch.tensor([0.3, -0.7, 1.0])[:, None, None].expand(3, 32, 32).expand(4, 3, 32, 32)
    for family in FAMILIES.keys() - {"whole", "grey"}:  # which leave nothing to go by
        M = sample(family, 4, 32, torch.Generator().manual_seed(1))
        known = (M == 0).expand_as(x)
        assert torch.equal(continuation(x, M)[known], x[known]), family
        assert torch.allclose(continuation(plain, M), plain, atol=0.02), family


def test_what_lies_in_the_region_does_not_matter() -> None:
    M = sample("ellipse", 2, 32, torch.Generator().manual_seed(2))
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(continuation(x, M), continuation(x * (1 - M), M))


def test_an_image_without_known_pixels_becomes_grey() -> None:
    x, M = torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
    assert torch.equal(continuation(x, M), torch.zeros_like(x))


def test_a_filling_takes_the_colours_of_its_surroundings() -> None:
    """Poisson's promise: a filling that differs from the truth by a constant becomes the truth."""
    x = 0.5 * (torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(3)) * 2 - 1)
    for family in ("ellipse", "rectangle", "mixture"):
        M = sample(family, 2, 32, torch.Generator().manual_seed(4))
        assert torch.allclose(membrane(x, x - 0.4, M), x, atol=1e-5), family


def test_the_membrane_is_nearly_harmonic() -> None:
    """A field that is linear in the pixels is harmonic: continued from its edge, it is found again."""
    ramp = torch.linspace(-1, 1, 64).expand(20, 1, 64, 64)
    M = sample("ellipse", 20, 64, torch.Generator().manual_seed(0))
    assert (continuation(ramp, M) - ramp).abs().flatten(1).amax(1).mean() < 0.12
