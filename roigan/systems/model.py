"""A trained model: weights and a config in a folder, and the verb `complete`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from roigan.config import ModelParams, parse_model
from roigan.errors import UserError, brief
from roigan.files.tensors import save_tensors, sha256_of
from roigan.nets.latent import draw_latent
from roigan.systems.by_name import SYSTEMS

WEIGHTS, CONFIG = "generator.safetensors", "config.json"


def save_model(
    folder: Path, G: nn.Module, config: dict[str, Any], dtype: torch.dtype = torch.float32
) -> None:
    """Write generator.safetensors, in the given precision, and config.json.

    config needs `system`, `image_size`, `channels` and `model` (the block of params.yaml); what else it
    holds (data and feature hashes, say) travels along.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors({name: tensor.to(dtype) for name, tensor in G.state_dict().items()}, folder / WEIGHTS)
    content = config | {"weights_sha256": sha256_of(folder / WEIGHTS)}
    (folder / CONFIG).write_text(json.dumps(content, indent=1) + "\n")


def _parse(config: Any, origin: str) -> ModelParams:
    """The block `model` of a config.json; UserError names what is missing in the file, or wrong."""
    for key in ("model", "image_size", "channels", "weights_sha256"):
        if not isinstance(config, dict) or key not in config:
            raise UserError(f"{origin}: {key} is missing")
    params = parse_model(config["model"], origin)
    for key, known in (("image_size", params.sides), ("channels", (1, 3))):
        if type(config[key]) is not int or config[key] not in known:
            raise UserError(f"{origin}: {key} is {config[key]!r}, but known are {', '.join(map(str, known))}")
    return params


class Model:
    """A generator ready to complete images; nothing in it is trained."""

    def __init__(self, G: nn.Module, config: dict[str, Any]) -> None:
        model = parse_model(config["model"], CONFIG)
        self.G, self.config = G.eval().requires_grad_(False), config
        self.system = model.system
        self.image_size: int = config["image_size"]
        self.channels: int = config["channels"]
        self.sizes = model.latent
        _, self.sliders, self.codes, self.values = self.sizes
        self.sha256: str = config["weights_sha256"]

    @classmethod
    def load(cls, folder: Path | str) -> Model:
        """Read a model folder. Raises UserError where it is none or where weights and config disagree."""
        folder = Path(folder)
        for name in (WEIGHTS, CONFIG):
            if not (folder / name).is_file():
                raise UserError(f"{folder} is not a model folder: {name} is missing")
        try:
            config = json.loads((folder / CONFIG).read_text())
            params = _parse(config, str(folder / CONFIG))
            if sha256_of(folder / WEIGHTS) != config["weights_sha256"]:
                raise UserError(f"{folder}: {WEIGHTS} is not the file that {CONFIG} was written for")
            G = SYSTEMS[params.system].generator(config["image_size"], config["channels"], params)
            G.load_state_dict(load_file(folder / WEIGHTS))
        except (ValueError, RuntimeError, SafetensorError) as error:
            raise UserError(f"{folder} holds no model that this version can read ({brief(error)})") from None
        return cls(G, config)

    def to(self, device: torch.device | str) -> Model:
        """Move the weights; returns self."""
        self.G.to(device)
        return self

    def latent(
        self,
        n: int,
        generator: torch.Generator,
        c: Tensor | None = None,
        k: Sequence[int] | Tensor | None = None,
    ) -> Tensor:
        """n latent vectors z; see `draw_latent`."""
        return draw_latent(n, self.sizes, generator, c, k)

    @torch.no_grad()
    def complete(self, x: Tensor, M: Tensor, z: Tensor) -> Tensor:
        """y [B, C, S, S] = M*G + (1-M)*x (3.9), bit-identical to x outside M, on x's device.

        x: [B, C, S, S] in [-1, 1] (what lies inside M does not matter); M: [B, 1, S, S] in {0, 1}; z: [B, Z].
        """
        return self._fill(x, M, z).y.to(x.device)

    @torch.no_grad()
    def generate(self, x: Tensor, M: Tensor, z: Tensor) -> Tensor:
        """G [B, C, S, S], the whole generated image: as `complete`, but known pixels may differ."""
        return self._fill(x, M, z).G.to(x.device)

    def _fill(self, x: Tensor, M: Tensor, z: Tensor) -> Any:
        device = next(self.G.parameters()).device
        return self.G(x.to(device), M.to(device), z.to(device))
