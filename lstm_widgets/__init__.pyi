from . import concepts, errors
from .analysis.ablation import Ablation, ablate
from .analysis.comparing import compare_cells
from .analysis.dependency import dependency
from .analysis.evaluation import deletion_curve, pointing_game
from .analysis.fixed_points import fixed_points
from .analysis.matching import match
from .analysis.probing import Probe, probe
from .analysis.projecting import positions_of, project
from .analysis.ranking import rank_cells
from .analysis.relevance import relevance
from .analysis.responses import expected_responses
from .analysis.screening import screen_cells
from .errors import (
    LayerNotFoundError,
    LstmWidgetsError,
    ModelFileError,
    RecordingFileError,
    SelfCheckError,
    UnsupportedLayerError,
)
from .figures.learning_curve import LearningCurve
from .figures.phase_portrait import phase_portrait
from .figures.responses import response_figure
from .figures.saturation import saturation_figure
from .models.keras.legacy import load_legacy, load_legacy_weights
from .models.own_cells import register_cell
from .recording import Recording, Variants, open_recording
from .running.generate import Generation, generate
from .running.held import Held
from .running.record import record
from .running.training import TrainingRecorder
from .widgets.cell_comparison import CellComparison
from .widgets.cell_finder import CellFinder
from .widgets.cell_grid import CellGrid
from .widgets.dependency_heatmap import DependencyHeatmap
from .widgets.example_grid import ExampleGrid
from .widgets.explorer import Explorer
from .widgets.gate_inspector import GateInspector
from .widgets.relevance_heatmap import RelevanceHeatmap
from .widgets.series_plot import SeriesPlot
from .widgets.showing import show_as
from .widgets.state_space import StateSpace
from .widgets.text_heatmap import TextHeatmap
from .widgets.what_if import WhatIf

__all__ = [
    "Ablation",
    "CellComparison",
    "CellFinder",
    "CellGrid",
    "DependencyHeatmap",
    "ExampleGrid",
    "Explorer",
    "GateInspector",
    "Generation",
    "Held",
    "LayerNotFoundError",
    "LearningCurve",
    "LstmWidgetsError",
    "ModelFileError",
    "Probe",
    "Recording",
    "RecordingFileError",
    "RelevanceHeatmap",
    "SelfCheckError",
    "SeriesPlot",
    "StateSpace",
    "TextHeatmap",
    "TrainingRecorder",
    "UnsupportedLayerError",
    "Variants",
    "WhatIf",
    "ablate",
    "compare_cells",
    "concepts",
    "deletion_curve",
    "dependency",
    "errors",
    "expected_responses",
    "fixed_points",
    "generate",
    "load_legacy",
    "load_legacy_weights",
    "match",
    "open_recording",
    "phase_portrait",
    "pointing_game",
    "positions_of",
    "probe",
    "project",
    "rank_cells",
    "record",
    "register_cell",
    "relevance",
    "response_figure",
    "saturation_figure",
    "screen_cells",
    "show_as",
]
