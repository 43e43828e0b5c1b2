"""See what every cell of a recurrent network has learned."""

from lstm_widgets.recorders.keras import RecordingError, record
from lstm_widgets.recorders.legacy import load_legacy
from lstm_widgets.recording import Recording, open_recording
from lstm_widgets.widgets.cell_grid import CellGrid
from lstm_widgets.widgets.example_grid import ExampleGrid

__all__ = [
    "CellGrid",
    "ExampleGrid",
    "Recording",
    "RecordingError",
    "load_legacy",
    "open_recording",
    "record",
]
