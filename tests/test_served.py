"""The model behind MLflow's scoring server: what cannot be served is answered with 400 and the reason."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.scoring_server import invocations
from PIL import Image

from roigan.config import RoIGANModel
from roigan.systems.model import CONFIG, save_model
from roigan.systems.roigan.networks import Generator
from roigan.tracking.package import pack

SIZE = 16
IMAGE = np.random.default_rng(0).integers(0, 256, (1, 20, 24, 3)).tolist()
MASK = np.zeros((1, 20, 24, 1), int)
MASK[:, 4:9, 5:15] = 255
MASK = MASK.tolist()
INPUTS = {"image": IMAGE, "mask": MASK}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registered model's folder, untrained."""
    folder = tmp_path_factory.mktemp("packed")
    torch.manual_seed(0)
    params = RoIGANModel(system="roigan", width=0.1, noise=8, sliders=3, codes=2, values=4)
    config = {"image_size": SIZE, "channels": 3, "model": params.model_dump()}
    save_model(folder / "model", {"G": Generator(SIZE, 3, params)}, config)
    pack(folder / "packed", folder / "model", json.loads((folder / "model" / CONFIG).read_text()), {})
    return folder / "packed"


@pytest.fixture(scope="module")
def model(packed: Path) -> Any:
    return mlflow.pyfunc.load_model(str(packed))


def answer(model: Any, request: str) -> tuple[int, str]:
    """Status and body, by the function that the server calls."""
    try:
        given = invocations(request, "application/json", model, model.metadata.get_input_schema())
    except MlflowException as error:
        return error.get_http_status_code(), error.message
    return given.status, given.response


def test_a_request_is_answered_with_pictures(model: Any) -> None:
    request = {"inputs": INPUTS, "params": {"seed": 3, "c": [0.5, -1], "k": [3]}}
    status, body = answer(model, json.dumps(request))
    assert status == 200
    completed, M = np.array(json.loads(body)["predictions"]), np.array(MASK)[..., 0] > 127
    assert completed.shape == (1, 20, 24, 3)
    np.testing.assert_array_equal(completed[~M], np.array(IMAGE)[~M])
    assert (completed[M] != np.array(IMAGE)[M]).any()


def shaped(*shape: int) -> list:
    return np.zeros(shape, int).tolist()


BAD = {
    "no JSON": ("{", "valid JSON"),
    "no inputs": ({"pictures": IMAGE}, "exactly one of the input fields"),
    "no mask": ({"inputs": {"image": IMAGE}}, "missing inputs"),
    "too few dimensions": ({"inputs": {**INPUTS, "image": IMAGE[0]}}, "does not match expected shape"),
    "ragged": ({"inputs": {**INPUTS, "image": [[[[0, 0, 0], [1]]]]}}, "inhomogeneous"),
    "grey": ({"inputs": {**INPUTS, "image": shaped(1, 20, 24, 1)}}, "does not match expected shape"),
    "another size": ({"inputs": {**INPUTS, "mask": shaped(1, 20, 20, 1)}}, "must agree"),
    "another count": ({"inputs": {**INPUTS, "image": IMAGE * 2}}, "must agree"),
    "empty mask": ({"inputs": {**INPUTS, "mask": shaped(1, 20, 24, 1)}}, "mask is empty"),
    "no image": ({"inputs": {"image": [], "mask": []}}, "does not match expected shape"),
    "NaN pixel": (json.dumps({"inputs": INPUTS}).replace("255", "NaN"), "NaN"),
    "level 300": (json.dumps({"inputs": INPUTS}).replace("255", "300"), "300 out of bounds"),
    "unknown parameter": (
        {"inputs": INPUTS, "params": {"sed": 1}},
        "unknown parameters: sed; known are c, k",
    ),
    "seed below 0": ({"inputs": INPUTS, "params": {"seed": -1}}, "seed is -1"),
    "seed too large": ({"inputs": INPUTS, "params": {"seed": 2**70}}, "seeds go from 0"),
    "seed of letters": ({"inputs": INPUTS, "params": {"seed": "x"}}, "seed"),
    "slider NaN": ({"inputs": INPUTS, "params": {"c": [float("nan")]}}, "slider 0 is nan"),
    "slider 4": ({"inputs": INPUTS, "params": {"c": [4.0]}}, "slider 0 is 4"),
    "too many sliders": ({"inputs": INPUTS, "params": {"c": [0.0] * 4}}, "at most 3"),
    "code 4": ({"inputs": INPUTS, "params": {"k": [4]}}, "code 0 is 4"),
    "parameters as a list": ({"inputs": INPUTS, "params": [3]}, "must be a dictionary"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_answered_with_400_and_the_reason(model: Any, case: str) -> None:
    request, reason = BAD[case]
    status, body = answer(model, request if isinstance(request, str) else json.dumps(request))
    assert status == 400
    assert reason in body


def test_oversized_requests_are_refused(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    status, body = answer(model, json.dumps({"inputs": INPUTS}))
    assert status == 400
    assert "480 pixels in one request; the limit is 400" in body


def test_other_models_in_the_process_keep_their_parameters(model: Any) -> None:
    from mlflow.types import ParamSchema, ParamSpec

    schema = ParamSchema([ParamSpec("other", "long", 1)])
    assert mlflow.pyfunc._enforce_params_schema({"x": 1}, schema) == {"other": 1}


@pytest.mark.slow
def test_mlflows_server_serves_it_and_survives_bad_requests(packed: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(packed)]
    command += ["--env-manager", "local", "--port", str(port)]
    found = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # MLflow starts uvicorn by its name
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=tmp_path, start_new_session=True,
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": found},
        )  # fmt: skip

    def ask(path: str, body: str | None = None) -> tuple[int, str]:
        data = body.encode() if body is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", data)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    try:
        for _ in range(120):
            try:
                if ask("ping")[0] == 200:
                    break
            except OSError:
                assert server.poll() is None, (tmp_path / "log").read_text()[-2000:]
                time.sleep(1)
        assert ask("invocations", json.dumps({"inputs": INPUTS}))[0] == 200
        for request, reason in BAD.values():
            status, body = ask("invocations", request if isinstance(request, str) else json.dumps(request))
            assert status == 400
            assert reason in json.loads(body)["message"]
        assert ask("invocations", json.dumps({"inputs": INPUTS}))[0] == 200
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
