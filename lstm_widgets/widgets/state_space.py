"""The states of a layer as points and trajectories, and fixed points among them."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets
import xarray as xr

from lstm_widgets.analysis.projecting import project
from lstm_widgets.figures.state_space import Look, state_space
from lstm_widgets.lru import LRU
from lstm_widgets.views.lines import Key
from lstm_widgets.views.space import ANGLES, FixedPoints, Space
from lstm_widgets.widgets.base import STATIC, FileState
from lstm_widgets.widgets.matching_widget import MatchingWidget
from lstm_widgets.widgets.page import export
from lstm_widgets.widgets.page.space import WHOLE_BYTES, answer_space, described, held, size_of

if TYPE_CHECKING:
    from typing import Unpack

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.recording import Recording, Variants
    from lstm_widgets.widgets.keywords import StateSpaceKeywords

#: Beside the names of tracks, and of channels, outputs and targets.
COLOURINGS = ("token", "label", "example", "timestep", "value")
#: So many components there are to choose from, if no projection is given.
_COMPONENTS = 6
#: Of fewer states there are no principal components.
_FEWEST = 2
#: Projections of so many layers and signals are kept.
_KEPT = 4


class StateSpace(MatchingWidget):
    """
    States as points, one a timestep, in two or three dimensions; trajectories, and fixed points among them.

    Points lie close where the network is in alike states. A lasso chooses timesteps, which are marked in
    every widget that ``selected_timesteps`` is linked to. Of more than 100 000 points in view it is drawn how
    many there are, of a part of them while the picture changes, and of more than a million a million are
    chosen at random; the widget says so.

    Parameters
    ----------
    recording : Recording or Variants
        What ``record()`` or ``open_recording()`` gave; or several of the same inputs, which are put into one
        space, one shown at a time.
    layer, signal : str, optional
        Whose states are shown at first. Default: those of the projection, else the first layer and its first
        signal.
    projection : xarray.Dataset, optional
        What `lstm_widgets.project` gave. Default, and of every other layer and signal: the first principal
        components.
    fixed_points : xarray.Dataset, optional
        What `lstm_widgets.fixed_points` found of this layer: stable ones are filled, saddles open with a
        line along their most unstable direction, and those that are only slow are crosses.
    axes : tuple of int, optional
        Which components are drawn, by their number: two, or three, which are turned by dragging.
    angles : tuple of float, optional
        How three axes are turned, in degrees: around the vertical, and towards the eye.
    coloured_by : str, optional
        What the points' colours stand for: ``"token"``, ``"label"``, ``"example"``, ``"timestep"``, the
        ``"value"`` of the selected cell, the name of a track, or ``"channel …"``, ``"output …"`` or
        ``"target …"`` with the name of one. Default: the first track, else labels if they are few, else
        tokens.
    trajectories : str or tuple of int, optional
        Which lines are drawn from each timestep to the next: ``"none"``, that of the ``"selected"``
        example, or ``"all"``; or numbers of examples, whose lines are drawn beside that of the selected one.
    span : tuple of int, optional
        Where a span is chosen, the trajectory of its example is drawn only there.
    tracks : Concept, sequence of Concept, or mapping, optional
        Concepts that points may be coloured by, as in `CellGrid`.
    cell : int, optional
        Whose value colours the points, and is read out.
    selected_timesteps : tuple of (int, int, int), optional
        Timesteps that are chosen, as spans (example, start, stop).
    threshold, palette, scale : optional
        How values become colours, as in `CellGrid`.

    Raises
    ------
    TypeError
        If the projection or the fixed points are no Dataset.
    ValueError
        If they are of another shape than the recording.

    Examples
    --------
    >>> lw.StateSpace(recording, axes=(0, 1), coloured_by="timestep")
    <StateSpace layer='lstm', signal='hidden_state', cell=0, example=0, timestep=0>
    """

    _esm = STATIC / "state_space.js"
    _css = STATIC / "state_space.css"
    _shown: ClassVar[tuple[str, ...]] = ("recording", "projection", "fixed_points")

    axes = traitlets.Tuple(
        default_value=(0, 1),
        help="Which components are drawn: two, or three.",
    ).tag(sync=True)
    coloured_by = traitlets.Unicode(
        None,
        allow_none=True,
        help="What colours stand for: 'token', 'label', 'example', 'timestep', 'value', or the name of a "
        "track.",
    ).tag(sync=True)
    angles = traitlets.Tuple(
        traitlets.Float(),
        traitlets.Float(),
        default_value=ANGLES,
        help="How three axes are turned, in degrees: around the vertical, and towards the eye.",
    ).tag(sync=True)
    trajectories = traitlets.Union(
        [traitlets.Enum(("none", "selected", "all")), traitlets.Tuple()],
        default_value="selected",
        help="Whose trajectories are drawn: 'none', that of the 'selected' example, 'all', or also those of "
        "some examples.",
    ).tag(sync=True)

    _space = traitlets.Dict(help="Which points there are, and what of them is in the page.").tag(
        sync=True, echo_update=False
    )
    _space_values = traitlets.Bytes(help="What is held, see `held`.").tag(
        sync=True, echo_update=False
    )
    _fixed: traitlets.List[dict[str, Any]] = traitlets.List(help="Fixed points.").tag(
        sync=True, echo_update=False
    )

    def __init__(
        self,
        recording: Recording | Variants,
        *,
        layer: str | None = None,
        signal: str | None = None,
        projection: xr.Dataset | None = None,
        fixed_points: xr.Dataset | None = None,
        **traits: Unpack[StateSpaceKeywords],
    ) -> None:
        self._expect_known(traits)
        for name, given in (("projection", projection), ("fixed_points", fixed_points)):
            if given is not None and not isinstance(given, xr.Dataset):
                raise TypeError(
                    f"{name}: expected an xarray.Dataset, what lw.{name.replace('ion', '')} gives, "
                    f"got {type(given).__name__}"
                )
        self._projection, self._found = projection, fixed_points
        self._spaces: LRU[Space] = LRU(_KEPT)
        self._projections: LRU[xr.Dataset] = LRU(_KEPT)
        if projection is not None and layer is None:
            layer = projection.attrs.get("layer")
            signal = projection.attrs.get("signal") if signal is None else signal
        coloured_by = traits.pop("coloured_by", None)
        axes = traits.pop("axes", None)
        super().__init__(recording, layer=layer, signal=signal, **traits)
        self.coloured_by = self._usual_colouring() if coloured_by is None else coloured_by
        if axes is not None:
            self.axes = axes

    @property
    def projection(self) -> xr.Dataset | None:
        """Where states are put, if that was given."""
        return self._projection

    @property
    def fixed_points(self) -> xr.Dataset | None:
        """The fixed points that were given."""
        return self._found

    # -- points ------------------------------------------------------------------------------------

    @property
    def _points(self) -> Space | None:
        """The states shown as points; None if there are none."""
        if 0 in self._sizes(self.layer).values():
            return None
        return self._spaces.get((self.layer, self.signal, self.variant), self._placed)

    def _placed(self) -> Space:
        """Put the states of what is shown where they belong; of variants, all in one picture."""
        every = self._projections.get((self.layer, self.signal), self._projected)
        dataset = self._current[self.layer]
        if self._several is None:
            space = Space(every, dataset)
        else:
            shown = every.sel(variant=self.variant, drop=True)
            space = Space(shown, dataset, among=every["position"])
        fixed = self._fixed_points(space)
        if fixed is not None:
            space.make_room(fixed.positions)
        return space

    def _projected(self) -> xr.Dataset:
        given, dataset = self._projection, self._current[self.layer]
        if given is not None and (
            given.attrs.get("layer", self.layer),
            given.attrs.get("signal", self.signal),
        ) == (self.layer, self.signal):
            return self._expect_projection(given)
        count = min(_COMPONENTS, dataset.sizes["cell"])
        states = dataset["mask"].sum() if "mask" in dataset else dataset[self.signal][..., 0].size
        if states < _FEWEST:  # which have no principal components
            directions = np.eye(dataset.sizes["cell"])[:count]
            return project(self.recording, self.layer, self.signal, method=directions)
        return project(self.recording, self.layer, self.signal, components=count)

    def _expect_projection(self, given: xr.Dataset) -> xr.Dataset:
        if "position" not in given:
            raise ValueError(
                "projection: expected what lw.project gives, with 'position'; got a dataset of "
                + (", ".join(map(repr, given.data_vars)) or "nothing")
            )
        dataset, position = self._current[self.layer], given["position"]
        if (self._several is None) == ("variant" in position.dims):
            expected = "one recording" if self._several is None else "all variants"
            raise ValueError(
                f"projection: expected positions of {expected}, what lw.project(recording) gives of what is "
                f"shown here; got the axes {', '.join(map(repr, position.dims))}"
            )
        if self._several is not None:
            names = position["variant"].to_numpy().tolist()
            if names != [*self._several.names]:
                raise ValueError(
                    f"projection: expected positions of the variants "
                    f"{', '.join(map(repr, self._several.names))}, as the recording has them, got those of "
                    f"{', '.join(map(repr, names))}"
                )
        sizes = [position.sizes[name] for name in ("example", "timestep")]
        there = [dataset.sizes[name] for name in ("example", "timestep")]
        if sizes != there:
            raise ValueError(
                f"projection: expected positions of {there[0]} examples and {there[1]} timesteps, as the "
                f"recording has them, got {sizes[0]} and {sizes[1]}"
            )
        return given

    def _summarise(self) -> None:
        super()._summarise()
        if not self._layers or not self.signal:
            return
        space = self._points
        if space is None:
            with self.hold_sync():
                self._space, self._space_values, self._fixed = {}, b"", []
            return
        told = described(space, self.layer, self.signal, self._series_keys) | self._selected
        values: list[bytes] = []
        if size_of(space) <= WHOLE_BYTES:
            told["held"], values = held(space, self._drawn, self._series_keys, exact=True)
        fixed = self._fixed_points(space)
        with self.hold_sync():
            if max(self.axes) >= space.components:
                self.axes = (0, 1)
            self._space, self._space_values = told, b"".join(values)
            self._fixed = [] if fixed is None else fixed.described

    def _fixed_points(self, space: Space) -> FixedPoints | None:
        found = self._found
        if found is None or found.attrs.get("layer", self.layer) != self.layer:
            return None
        if "signal" in found.coords and self.signal not in found["signal"].to_numpy():
            return None
        return FixedPoints(found, space, self.signal)

    @property
    def _series_keys(self) -> list[Key]:
        """What there is beside cells that has a value at each timestep of the layer."""
        lines = self._drawn
        if lines.timesteps != self._sizes(self.layer)["timestep"]:
            return []
        return [key for key in lines.beside if key.kind in ("channel", "output", "target")]

    # -- traits ------------------------------------------------------------------------------------

    def _usual_colouring(self) -> str:
        tracks = self._said.get(self._current.directions(self.layer)[0], ())
        if tracks:
            return tracks[0].name
        space = self._points
        if space is None:
            return "timestep"
        labels = space.labels
        if labels is not None and len(labels.names) > 1 and sum(labels.counts) == len(space):
            return "label"
        return "timestep" if space.tokens is None else "token"

    @property
    def _series_names(self) -> dict[str, Key]:
        """What points may be coloured by beside cells and tracks."""
        lines = self._drawn
        names = {f"channel {name}": Key("channel", i) for i, (name, _) in enumerate(lines.channels)}
        for one in lines.outputs:
            for kind, number in (("output", one.output), ("target", one.target)):
                if number is not None:
                    names[f"{kind} {one.name}"] = Key(kind, number)
        kept = self._series_keys
        return {name: key for name, key in names.items() if key in kept}

    @traitlets.validate("coloured_by")
    def _check_coloured_by(self, proposal: dict[str, Any]) -> str:
        wanted: str = proposal["value"]
        tracks = (track.name for said in self._said.values() for track in said)
        usual = [
            name
            for name in COLOURINGS
            if name not in ("token", "label") or any(layer[f"{name}s"] for layer in self._layers)
        ]
        known = dict.fromkeys((*usual, *tracks, *self._series_names))
        if wanted not in known:
            raise traitlets.TraitError(
                f"coloured_by: expected one of {', '.join(map(repr, known))}, got {wanted!r}"
            )
        return wanted

    @traitlets.validate("axes")
    def _check_axes(self, proposal: dict[str, Any]) -> tuple[int, ...]:
        given, space = proposal["value"], self._points
        if space is None:
            return tuple(given)
        try:
            axes = tuple(index(axis) for axis in given)
        except TypeError:
            axes = ()
        names = space.names
        different = {axis for axis in axes if 0 <= axis < len(names)}
        if not len(different) == len(axes) in (2, 3):
            raise traitlets.TraitError(
                f"axes: expected two or three different ones of 0 to {len(names) - 1}, which are "
                f"{', '.join(names)}; got {given!r}"
            )
        return axes

    @traitlets.validate("trajectories")
    def _check_trajectories(self, proposal: dict[str, Any]) -> str | tuple[int, ...]:
        given = proposal["value"]
        if isinstance(given, str):
            return given
        count = self._sizes(self.layer)["example"] if self.layer in self._names else 2**53
        try:
            examples = tuple(dict.fromkeys(index(example) for example in given))
        except TypeError:
            examples = (-1,)
        if not all(0 <= example < count for example in examples):
            raise traitlets.TraitError(
                f"trajectories: expected 'none', 'selected', 'all' or examples from 0 to {count - 1}, "
                f"got {given!r}"
            )
        return examples

    # -- leaving the notebook ----------------------------------------------------------------------

    def _kept_in_file(self, width: int) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
        """Choose the signal shown, of the variant shown: its points are in the file, too."""
        shown: tuple[str, ...] = (self.signal,)
        kept = dict.fromkeys(self._current.directions(self.layer), shown)
        layers = [export.without(layer, kept) for layer in self._layers]
        export.fitting(layers, self.layer, self.signal, width)
        every = () if self._several is None else self._several.names
        return tuple(name for name in every if name in (self.variant, self.difference)), kept

    def _file_state(self, *, exact: bool | None = None) -> FileState:
        """Give a file the signal shown, and all points."""
        file = super()._file_state(exact=exact)
        space = self._points
        if space is None or self._space_values:
            return file
        told, values = held(space, self._drawn, self._series_keys, exact=False)
        points = {"_space": self._space | {"held": told}, "_space_values": b"".join(values)}
        return file._replace(traits=file.traits | points)

    def _draw(self, sheet: Sheet, most: int) -> None:
        shown, space = self._snapshot(), self._points
        if space is None:
            super()._draw(sheet, most)
            return
        part = self._current.directions(self.layer)[0]
        look = Look(
            axes=self.axes,
            angles=self.angles,
            coloured_by=self.coloured_by or "timestep",
            trajectories=self.trajectories,
            span=self.span if self._span_example == self.example else None,
            selected=self.selected_timesteps,
            tracks=self._said.get(part, ()),
            series=self._series_names,
        )
        state_space(sheet, shown, space, self._fixed_points(space), look, most=most)

    # -- the page's requests -----------------------------------------------------------------------

    def _answer(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        if "space" not in content:
            return super()._answer(content)
        space = self._points
        asked = (content["layer"], content["signal"], content["variant"])
        if space is None or asked != (self.layer, self.signal, self.variant):
            raise ValueError(f"space: {asked} isn't what is shown")
        levels = self._snapshot().levels
        told, buffers = answer_space(space, levels, self._drawn, content["space"])
        return {"id": content["id"], "space": content["space"], "told": told}, buffers
