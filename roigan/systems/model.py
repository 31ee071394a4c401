"""A trained model: weights and a config in a folder, and its verbs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
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
from roigan.systems.interface import Completion

WEIGHTS, CONFIG, PRIOR = "generator.safetensors", "config.json", "prior"
FILES = {"G": WEIGHTS, "D": "discriminator.safetensors"}
"""Where a model folder has its networks; others lie in NAME.safetensors."""
PASSES = 0.95  # share of the normal images that a threshold lets pass


def file_of(net: str) -> str:
    """The file of a network in a model folder."""
    return FILES.get(net, f"{net}.safetensors")


def save_model(
    folder: Path,
    nets: Mapping[str, nn.Module],
    config: dict[str, Any],
    dtype: torch.dtype = torch.float32,
    prior: Model | None = None,
) -> str:
    """Write the networks that the system keeps, in the given precision, and config.json.

    config needs `image_size`, `channels` and `model` (the block of params.yaml); what else it holds (data and
    feature hashes, say) travels along. Its `weights_sha256`, of the first network, is the model's identity,
    and returned; `nets` has the hashes of all. A model that projects has the prior it projects onto with it,
    whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if prior and "project" in SYSTEMS[config["model"]["system"]].verbs:
        config = config | {"prior": save_model(folder / PRIOR, prior.nets, prior.config, dtype)}
    hashes = {}
    for net in kept(config["model"]["system"]):
        state = {name: tensor.to(dtype) for name, tensor in nets[net].state_dict().items()}
        save_tensors(state, folder / file_of(net))
        hashes[net] = sha256_of(folder / file_of(net))
    sha256 = next(iter(hashes.values()))
    content = config | {"weights_sha256": sha256, "nets": hashes}
    (folder / CONFIG).write_text(json.dumps(content, indent=1) + "\n")
    return sha256


def kept(system: str) -> list[str]:
    """The names of the networks that a model folder of a system holds; the first one is what it serves."""
    return [kept.net for kept in SYSTEMS[system].keeps]


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
    """Trained networks ready for use; nothing in them is trained."""

    def __init__(
        self, nets: Mapping[str, nn.Module], config: dict[str, Any], prior: Model | None = None
    ) -> None:
        """prior: what a model that projects projects onto."""
        model = parse_model(config["model"], CONFIG)
        self.nets = {name: net.eval().requires_grad_(False) for name, net in nets.items()}
        self.config, self.system, self.prior = config, model.system, prior
        self.verbs = SYSTEMS[model.system].verbs
        self.image_size: int = config["image_size"]
        self.channels: int = config["channels"]
        self.sizes, self.coordinates = model.latent, model.coordinates
        _, self.sliders, self.codes, self.values = self.sizes
        self.sha256: str = config["weights_sha256"]

    @property
    def G(self) -> nn.Module:
        """The generator."""
        return self.nets["G"]

    @property
    def normal(self) -> list[float]:
        """What it scores validation images, in ascending order; empty where it does not score, or has not
        been trained to the end."""
        return list(self.config.get("normal", []))

    @property
    def threshold(self) -> float:
        """The score that 95 % of the validation images do not exceed."""
        return self.normal[math.ceil(PASSES * len(self.normal)) - 1]

    @property
    def knows_whole_images(self) -> bool:
        """Whether it has learnt aligned images as a whole, and can make nothing of a part of one."""
        return "generate" in self.verbs

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(next(iter(self.nets.values())).parameters()).device

    @classmethod
    def load(cls, folder: Path | str) -> Model:
        """Read a model folder. Raises UserError where it is none or where weights and config disagree."""
        folder = Path(folder)
        if not (folder / CONFIG).is_file():
            raise UserError(f"{folder} is not a model folder: {CONFIG} is missing")
        try:
            config = json.loads((folder / CONFIG).read_text())
            params = _parse(config, str(folder / CONFIG))
            nets = {}
            for name in kept(params.system):
                net = SYSTEMS[params.system].networks[name](config["image_size"], config["channels"], params)
                net.load_state_dict(_weights(folder, name, config))
                nets[name] = net
        except (ValueError, RuntimeError, SafetensorError) as error:
            raise UserError(f"{folder} holds no model that this version can read ({brief(error)})") from None
        return cls(nets, config, _prior(folder, config))

    def to(self, device: torch.device | str) -> Model:
        """Move the weights; returns self."""
        for net in self.nets.values():
            net.to(device)
        if self.prior:
            self.prior.to(device)
        return self

    def latent(
        self,
        n: int,
        generator: torch.Generator,
        c: Tensor | None = None,
        k: Sequence[int] | Tensor | None = None,
        z0: Tensor | None = None,
    ) -> Tensor:
        """n latent vectors z; see `draw_latent`."""
        return draw_latent(n, self.sizes, generator, c, k, z0)

    def require(self, verb: str) -> None:
        """Raise UserError where the model cannot do it."""
        if verb not in self.verbs:
            raise UserError(f"{self.system} cannot {verb}; it can {' and '.join(self.verbs)}")

    @torch.no_grad()
    def complete(self, x: Tensor, M: Tensor, z: Tensor) -> Tensor:
        """y [B, C, S, S] = M*G + (1-M)*x (3.9), bit-identical to x outside M, on x's device.

        x: [B, C, S, S] in [-1, 1] (what lies inside M does not matter); M: [B, 1, S, S] in {0, 1}; z: [B, Z].
        """
        return self._completion(x, M, z).y.to(x.device)

    @torch.no_grad()
    def whole(self, x: Tensor, M: Tensor, z: Tensor) -> Tensor:
        """G [B, C, S, S], the whole generated image: as `complete`, but known pixels may differ."""
        return self._completion(x, M, z).G.to(x.device)

    @torch.no_grad()
    def generate(self, z: Tensor) -> Tensor:
        """Images [B, C, S, S] in [-1, 1] from nothing but z [B, Z], on z's device."""
        self.require("generate")
        images: Tensor = self.G(z.to(self.device))
        return images.to(z.device)

    @torch.no_grad()
    def score(self, x: Tensor) -> Tensor:
        """-D(x) [B] of images [B, C, S, S]: higher is less like the training images, more anomalous."""
        self.require("score")
        scores: Tensor = -self.nets["D"](x.to(self.device))
        return scores.to(x.device)

    @torch.no_grad()
    def project(self, x: Tensor) -> Tensor:
        """z [B, Z] of the prior's image that is near x [B, C, S, S] in [-1, 1], on x's device."""
        self.require("project")
        z: Tensor = self.nets["P"](x.to(self.device))
        return z.to(x.device)

    def _completion(self, x: Tensor, M: Tensor, z: Tensor) -> Completion:
        self.require("complete")
        completion: Completion = self.G(*(tensor.to(self.device) for tensor in (x, M, z)))
        return completion


def _weights(folder: Path, net: str, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Raises UserError where the file is not the one that config.json was written for."""
    file = folder / file_of(net)
    if not file.is_file():
        raise UserError(f"{folder} is not a model folder: {file.name} is missing")
    wanted = config.get("nets", {kept(config["model"]["system"])[0]: config["weights_sha256"]})
    if sha256_of(file) != wanted.get(net):
        raise UserError(f"{folder}: {file.name} is not the file that {CONFIG} was written for")
    return load_file(file)


def _prior(folder: Path, config: Mapping[str, Any]) -> Model | None:
    """The prior inside the folder of a model that projects; UserError where it is another one's."""
    if "project" not in SYSTEMS[config["model"]["system"]].verbs:
        return None
    prior = Model.load(folder / PRIOR)
    if prior.sha256 != config.get("prior"):
        raise UserError(f"{folder / PRIOR} is not the prior that this model projects onto; train it anew")
    return prior
