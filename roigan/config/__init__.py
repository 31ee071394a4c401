"""The typed configuration: the only reader of params.yaml, one frozen block per stage."""

from roigan.config.blocks import DataParams, FeatureParams, LatentSizes, ModelParams, TrainParams
from roigan.config.evaluation import (
    ControlParams,
    EvaluateParams,
    Gate,
    MetricName,
    NaturalParams,
    RankingName,
)
from roigan.config.inference import PaintParams, ProjectParams, SearchParams
from roigan.config.params import Params
from roigan.config.reading import changed, load_params, parse_model, parse_params, prior_params, read_yaml
from roigan.config.systems.glcic import GLCICModel, GLCICParams
from roigan.config.systems.history_ad import HistoryADModel, HistoryADParams
from roigan.config.systems.pixelwise import PixelwiseModel, PixelwiseParams
from roigan.config.systems.roigan import RoIGANModel, RoIGANParams
from roigan.config.tuning import Domain, Objective, TuneParams

__all__ = [
    "ControlParams",
    "DataParams",
    "Domain",
    "EvaluateParams",
    "FeatureParams",
    "GLCICModel",
    "GLCICParams",
    "Gate",
    "HistoryADModel",
    "HistoryADParams",
    "LatentSizes",
    "MetricName",
    "ModelParams",
    "NaturalParams",
    "Objective",
    "PaintParams",
    "Params",
    "PixelwiseModel",
    "PixelwiseParams",
    "ProjectParams",
    "RankingName",
    "RoIGANModel",
    "RoIGANParams",
    "SearchParams",
    "TrainParams",
    "TuneParams",
    "changed",
    "load_params",
    "parse_model",
    "parse_params",
    "prior_params",
    "read_yaml",
]
