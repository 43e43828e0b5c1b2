"""See what every cell of a recurrent network has learned."""

from lstm_widgets import concepts, errors
from lstm_widgets.analysis.ablation import Ablation, ablate
from lstm_widgets.analysis.dependency import dependency
from lstm_widgets.analysis.evaluation import deletion_curve, pointing_game
from lstm_widgets.analysis.matching import match
from lstm_widgets.analysis.ranking import rank_cells
from lstm_widgets.analysis.relevance import relevance
from lstm_widgets.analysis.screening import screen_cells
from lstm_widgets.errors import (
    LayerNotFoundError,
    LstmWidgetsError,
    ModelFileError,
    RecordingFileError,
    SelfCheckError,
    UnsupportedLayerError,
)
from lstm_widgets.models.keras.legacy import load_legacy, load_legacy_weights
from lstm_widgets.recording import Recording, open_recording
from lstm_widgets.running.generate import Generation, generate
from lstm_widgets.running.held import Held
from lstm_widgets.running.record import record
from lstm_widgets.widgets.cell_finder import CellFinder
from lstm_widgets.widgets.cell_grid import CellGrid
from lstm_widgets.widgets.dependency_heatmap import DependencyHeatmap
from lstm_widgets.widgets.example_grid import ExampleGrid
from lstm_widgets.widgets.explorer import Explorer
from lstm_widgets.widgets.gate_inspector import GateInspector
from lstm_widgets.widgets.relevance_heatmap import RelevanceHeatmap
from lstm_widgets.widgets.text_heatmap import TextHeatmap
from lstm_widgets.widgets.what_if import WhatIf

__all__ = [
    "Ablation",
    "CellFinder",
    "CellGrid",
    "DependencyHeatmap",
    "ExampleGrid",
    "Explorer",
    "GateInspector",
    "Generation",
    "Held",
    "LayerNotFoundError",
    "LstmWidgetsError",
    "ModelFileError",
    "Recording",
    "RecordingFileError",
    "RelevanceHeatmap",
    "SelfCheckError",
    "TextHeatmap",
    "UnsupportedLayerError",
    "WhatIf",
    "ablate",
    "concepts",
    "deletion_curve",
    "dependency",
    "errors",
    "generate",
    "load_legacy",
    "load_legacy_weights",
    "match",
    "open_recording",
    "pointing_game",
    "rank_cells",
    "record",
    "relevance",
    "screen_cells",
]
