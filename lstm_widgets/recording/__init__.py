"""Recordings: what every cell of a model's recurrent layers did, labelled, saved and opened."""

from lstm_widgets.recording.recorded import (
    RecordedLayer,
    RecordedPredictions,
    predictions_dataset,
)
from lstm_widgets.recording.recording import Recording, open_recording

__all__ = [
    "RecordedLayer",
    "RecordedPredictions",
    "Recording",
    "open_recording",
    "predictions_dataset",
]
