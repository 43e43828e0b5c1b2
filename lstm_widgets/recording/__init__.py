"""Recordings: what every cell of a model's recurrent layers did, labelled, saved and opened."""

from lstm_widgets.recording.recorded import (
    RecordedLayer,
    RecordedPredictions,
    RecordedSeries,
    predictions_node,
)
from lstm_widgets.recording.recording import Recording, open_recording
from lstm_widgets.recording.times import Times
from lstm_widgets.recording.variants import Variants

__all__ = [
    "RecordedLayer",
    "RecordedPredictions",
    "RecordedSeries",
    "Recording",
    "Times",
    "Variants",
    "open_recording",
    "predictions_node",
]
