"""The typed configuration: the only reader of params.yaml, one frozen block per stage."""

from roigan.config.blocks import (
    ControlParams,
    DataParams,
    EvaluateParams,
    FeatureParams,
    Gate,
    LatentSizes,
    ModelParams,
    Params,
    TrainParams,
)
from roigan.config.reading import changed, load_params, parse_model, parse_params, read_yaml
from roigan.config.systems import (
    GLCICModel,
    GLCICParams,
    PixelwiseModel,
    PixelwiseParams,
    RoIGANModel,
    RoIGANParams,
)

__all__ = [
    "ControlParams",
    "DataParams",
    "EvaluateParams",
    "FeatureParams",
    "GLCICModel",
    "GLCICParams",
    "Gate",
    "LatentSizes",
    "ModelParams",
    "Params",
    "PixelwiseModel",
    "PixelwiseParams",
    "RoIGANModel",
    "RoIGANParams",
    "TrainParams",
    "changed",
    "load_params",
    "parse_model",
    "parse_params",
    "read_yaml",
]
