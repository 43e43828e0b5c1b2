"""The traits that widgets take by keyword, for type checkers and editors.

What counts are the traits themselves: a test holds these against them, name by name and type by type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstm_widgets.analysis.probes.result import Probe
    from lstm_widgets.concepts import Concepts

Span: TypeAlias = tuple[int, int]
Range: TypeAlias = tuple[float, float]


class PageKeywords(TypedDict, total=False):
    """What every widget takes."""

    palette: str
    layout: Any


class CellKeywords(PageKeywords, total=False):
    """What every widget takes that shows cells over timesteps."""

    example: int
    cell: int
    timestep: int
    threshold: float
    scale: Literal["layer", "cell", "sigmoid", "squared"] | Range
    align: Literal["read", "predict"]
    tracks: Concepts | None
    hidden_tracks: Sequence[str]


class RecordingKeywords(CellKeywords, total=False):
    """What every widget over a recording takes."""

    variant: str
    difference: str
    selected_timesteps: Sequence[tuple[int, int, int]]


class MatchingKeywords(RecordingKeywords, total=False):
    """What widgets take in which spans of tokens are chosen."""

    span: Span | None


class CellGridKeywords(MatchingKeywords, total=False):
    """What `CellGrid` takes."""

    sort: Literal["index", "mean_magnitude", "variance", "similarity", "order"]
    order: Sequence[int]
    hide_quiet_cells: bool


class TextHeatmapKeywords(MatchingKeywords, total=False):
    """What `TextHeatmap` and `WhatIf` take."""

    cells: Sequence[int]
    marks: bool
    guesses: bool


class SeriesLinesKeywords(MatchingKeywords, total=False):
    """What widgets take that show lines over time."""

    cells: Sequence[int]
    channels: Sequence[str] | None
    outputs: Sequence[str] | None
    probe: Probe | Mapping[str, Probe] | None
    arrange: Literal["bands", "overlaid", "examples"]
    subject: str | None


class SeriesPlotKeywords(SeriesLinesKeywords, total=False):
    """What `SeriesPlot` takes."""

    method: str
    relevance_scale: Literal["example", "all"] | Range
    explained: int | None


class ExampleGridKeywords(RecordingKeywords, total=False):
    """What `ExampleGrid` takes."""

    sort: Literal["index", "value"]


class StateSpaceKeywords(MatchingKeywords, total=False):
    """What `StateSpace` takes."""

    axes: tuple[int, ...]
    angles: Range
    coloured_by: str | None
    trajectories: Literal["none", "selected", "all"] | Sequence[int]


class ExplorerKeywords(CellGridKeywords, TextHeatmapKeywords, SeriesLinesKeywords, total=False):
    """What `Explorer` takes."""

    finding: bool


class CellFinderKeywords(CellGridKeywords, TextHeatmapKeywords, SeriesLinesKeywords, total=False):
    """What `CellFinder` takes."""

    layer: str
    signal: str
    row: int


class RelevanceHeatmapKeywords(PageKeywords, total=False):
    """What `RelevanceHeatmap` takes."""

    example: int
    timestep: int
    method: str
    channel: int
    all_methods: bool
    scale: Literal["example", "all"] | Range
    sort: Literal[
        "index",
        "most_confident",
        "least_confident",
        "highest_score",
        "lowest_score",
        "longest",
        "shortest",
    ]
    predicted: int | str | None
    outcome: Literal["all", "right", "wrong"]
    search: str
    lines: int
    unfolded: bool
    exploring: bool


class DependencyHeatmapKeywords(PageKeywords, total=False):
    """What `DependencyHeatmap` takes."""

    example: int
    timestep: int
    input_timestep: int | None
    scale: Literal["prediction", "all"]
    same_scale: bool
    log_scale: bool
    hover: Literal["explain", "read"]
    marks: bool
    align: Literal["read", "predict"]
