"""The model card says what a model is, what it was made from, how it is used, and every parameter."""

from __future__ import annotations

import typing
from typing import Any

import pytest
import yaml

from roigan.config import DataParams, Params, parse_params
from roigan.tracking.model_card import TERMS, model_card
from tests.conftest import GLCIC, PIXELWISE, Small

TAGS = {"sha256": "abc", "data": "0123", "git.commit": "f00d-dirty"}


def card(params: Params, channels: int = 3) -> str:
    return model_card(params, {"image_size": 32, "channels": channels}, TAGS)


def test_what_it_is_and_what_it_was_made_from(small: Small) -> None:
    said = card(small(register__name="cats", data__source="celeba", data__path="/faces")).splitlines()
    assert said[0] == "# `cats`: a roigan model"
    assert "* Resolution 32 x 32, colour; of larger pictures the region is cut out." in said
    assert "* Data: CelebA: non-commercial research only; the people shown have not been asked." in said
    assert any("Do not pass it off as a record of what was there" in line for line in said)
    table = said.index("|---|---|")
    rows = ["| data | `0123` |", "| git.commit | `f00d-dirty` |", "| sha256 | `abc` |"]
    assert said[table + 1 : table + 5] == [*rows, ""]
    use = "    roigan complete --model models:/cats@candidate --image in.png --mask mask.png --out out.png"
    assert use in said


def test_its_parameters_can_be_trained_with_again(small: Small) -> None:
    params = small(train__lr_g=1e-3)
    written = card(params).partition("```yaml\n")[2].partition("```")[0]
    assert parse_params(yaml.safe_load(written)) == params


@pytest.mark.parametrize(
    ("system", "controls"),
    [
        ({}, "seed, 10 sliders c in [-1, 1], 10 codes k of 10 values"),
        (PIXELWISE, "seed"),
        (GLCIC, "none; a region has one filling"),
    ],
)
def test_controls_are_those_of_the_system(system: dict[str, Any], controls: str, small: Small) -> None:
    said = card(small(**system), channels=1).splitlines()
    assert f"* Controls: {controls}." in said
    assert "* Resolution 32 x 32, grey; of larger pictures the region is cut out." in said


def test_every_source_has_terms() -> None:
    assert TERMS.keys() == set(typing.get_args(DataParams.model_fields["source"].annotation))
