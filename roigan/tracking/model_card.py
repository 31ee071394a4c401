"""The model card: what a registered model is, what it was made from and what it must not be used for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from roigan.config import Params

TERMS = {
    "photos": "photographs that scikit-image and scikit-learn distribute; their terms are in those packages",
    "digits": "scikit-learn's copy of the UCI optical digits (CC BY 4.0)",
    "drawn": "faces of nobody, drawn by this project; no terms",
    "folder": "pictures of the user's own; whoever trained the model knows their terms",
    "celeba": "CelebA: non-commercial research only; the people shown have not been asked",
    "mnist": "MNIST (CC BY-SA 3.0)",
    "fashion_mnist": "Fashion-MNIST (MIT)",
}


def model_card(params: Params, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    """Markdown text of the card.

    config: the model folder's config.json; tags: hashes of what the model was made from (`roigan.lineage`).
    """
    name, (noise, sliders, codes, values) = params.register_.name, params.model.latent
    size, kind = config["image_size"], "colour" if config["channels"] == 3 else "grey"
    controls = (
        f"seed, {sliders} sliders c in [-1, 1], {codes} codes k of {values} values"
        if sliders
        else "seed"
        if noise
        else "none; a region has one filling"
    )
    lines = "\n".join(f"| {key} | `{value}` |" for key, value in sorted(tags.items()))
    settings = yaml.safe_dump(params.model_dump(mode="json", by_alias=True), sort_keys=False)
    return f"""# `{name}`: a {params.model.system} model

Generates new content inside a region of an image; outside the region every pixel stays as it was.

* Resolution {size} x {size}, {kind}; of larger pictures the region is cut out.
* Data: {TERMS[params.data.source]}.
* Controls: {controls}.
* FID and KID of this model are comparable only where the feature network is the same (tag `features`).
* What it paints is invented. Do not pass it off as a record of what was there, and do not alter pictures of
  people without their consent.

## Made from

| | |
|---|---|
{lines}

## Use

    roigan complete --model models:/{name}@candidate --image in.png --mask mask.png --out out.png

## Parameters

```yaml
{settings}```
"""
