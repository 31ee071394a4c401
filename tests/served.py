"""The editor's server in this process, with small untrained models, and pictures of every kind as files."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import requests
import torch
import uvicorn
from PIL import Image

from roigan.apps.editor.app import make_app
from roigan.apps.recipe import runs_of
from roigan.config import RoIGANModel
from roigan.systems.model import Model, save_model
from roigan.systems.roigan.networks import Generator

SIZE = 16
PROFILE = b"a colour profile, of which no one looks at a byte" * 3


def save_small_model(folder: Path, seed: int = 0) -> Path:
    """A model folder, untrained; sliders and codes move what it paints."""
    torch.manual_seed(seed)
    params = RoIGANModel(system="roigan", width=0.1, noise=8, sliders=3, codes=2, values=4, output_norm=False)
    config = {"system": "roigan", "image_size": SIZE, "channels": 3, "model": params.model_dump()}
    save_model(folder, {"G": Generator(SIZE, 3, params)}, config)
    return folder


class Editor:
    """A server on a port of its own, which can be ended and started again."""

    def __init__(self, models: dict[str, Model], token: str | None = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.models, self.token = models, token
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Returns once it answers."""
        self.app = make_app(self.models, self.port, self.token)
        config = uvicorn.Config(self.app, port=self.port, log_level="critical", ws="none", lifespan="off")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive()
            time.sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(10)

    def ask(self, method: str, path: str, **given: Any) -> requests.Response:
        return requests.request(method, self.url + path, timeout=60, **given)

    def post(self, path: str, body: Any, **headers: str) -> requests.Response:
        content = body if isinstance(body, str | bytes) else json.dumps(body)
        return self.ask("POST", path, data=content, headers={"Content-Type": "application/json", **headers})

    def put(self, content: bytes, kind: str = "application/octet-stream") -> requests.Response:
        return self.ask("PUT", "/api/pictures", data=content, headers={"Content-Type": kind})


def region(model: Model, mask: np.ndarray, **controls: Any) -> dict[str, Any]:
    """A region as the page sends it."""
    return {"model": model.sha256, "runs": runs_of(mask), **controls}


def box(height: int, width: int, top: int, left: int, h: int, w: int) -> np.ndarray:
    """bool [H, W] of a rectangle."""
    mask = np.zeros((height, width), bool)
    mask[top : top + h, left : left + w] = True
    return mask


def file_of(kind: str, height: int = 40, width: int = 60) -> bytes:
    """A picture file of random pixels: "RGB", "RGBA" (with hidden colours and a profile), "I;16", "deep"
    (16-bit colour), "P", "CMYK", "L", "1"."""
    rng = np.random.default_rng(0)
    if kind == "deep":
        pixels = rng.integers(0, 65536, (height, width, 3), dtype=np.uint16)
        return cv2.imencode(".png", pixels)[1].tobytes()
    if kind == "I;16":
        image = Image.fromarray(rng.integers(0, 65536, (height, width), dtype=np.uint16))
    elif kind == "1":
        image = Image.fromarray(rng.random((height, width)) > 0.5)
    elif kind == "P":
        image = Image.fromarray(rng.integers(0, 16, (height, width), dtype=np.uint8), "P")
        image.putpalette(rng.integers(0, 256, 768, dtype=np.uint8).tobytes())
    else:
        bands = len(Image.new(kind, (1, 1)).getbands())
        pixels = rng.integers(0, 256, (height, width, bands), dtype=np.uint8)
        if kind == "RGBA":
            pixels[: height // 2, :, 3] = 0  # colours that nobody sees
        image = Image.merge(kind, [Image.fromarray(pixels[..., i]) for i in range(bands)])
    content = io.BytesIO()
    profile = {"icc_profile": PROFILE} if kind == "RGBA" else {}
    image.save(content, "TIFF" if kind == "CMYK" else "PNG", **profile)
    return content.getvalue()


KINDS = ["RGB", "RGBA", "I;16", "deep", "P", "CMYK", "L", "1"]
