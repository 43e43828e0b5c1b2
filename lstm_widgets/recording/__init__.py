"""Recordings: what every cell of a model's recurrent layers did, labelled, saved and opened."""

from lstm_widgets.recording.core import (
    RecordedLayer,
    RecordedPredictions,
    Recording,
    open_recording,
    predictions_dataset,
)

__all__ = [
    "RecordedLayer",
    "RecordedPredictions",
    "Recording",
    "open_recording",
    "predictions_dataset",
]
