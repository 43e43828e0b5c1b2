"""What all widgets are: traits that are checked, files and pictures, answers to the page."""

from __future__ import annotations

import inspect
import json
import re
import warnings
from base64 import b64encode
from difflib import get_close_matches
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import anywidget
import ipywidgets
import numpy as np
import traitlets

from lstm_widgets.figures.sheet import LEAST_WIDTH, UNITS_PER_INCH, Sheet, inches_of, theme_of
from lstm_widgets.widgets.page import export
from lstm_widgets.widgets.showing import frame, shown_as

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

STATIC = Path(__file__).parent.parent / "static"
PALETTES: tuple[str, ...] = (
    "auto",
    *json.loads(resources.files("lstm_widgets").joinpath("palettes.json").read_text("utf-8")),
)
_SUFFIXES = (".svg", ".pdf", ".png")


class FileState(NamedTuple):
    """What a saved page has in place of the widget's own traits."""

    traits: dict[str, Any]
    missing: list[str]
    """What the page goes without, in words."""
    rounded: bool = False
    """Whether values in it are rounded to what is drawn."""
    within: dict[str, dict[str, Any]] | None = None
    """Those of widgets within it, by the names that `traits` refer to them by."""


class PageWidget(anywidget.AnyWidget):
    """
    A widget as all of them are, whatever they show.

    Its public traits are its keywords. A subclass says what a file needs of it (`_file_state`),
    how it looks as a figure (`_draw`), and answers what its page asks (`_answer`).
    """

    palette = traitlets.Enum(
        PALETTES,
        "auto",
        help="'auto' is RdBu_r for what has a sign (berlin on a dark page), and another for what has none.",
    ).tag(sync=True)

    _made = traitlets.Dict(
        help="How Python makes it: the call, and traits with their defaults."
    ).tag(sync=True)

    @traitlets.default("_made")
    def _as_python(self) -> dict[str, Any]:
        (first, _), *others = self.__signature__.parameters.items()
        wanted = [
            name
            for name, one in others
            if (one.kind is one.KEYWORD_ONLY and one.default is one.empty)
            or (name in self._shown and getattr(self, name) is not None)
        ]
        traits = {
            name: _default(trait)
            for name, trait in self._public_traits().items()
            if name != "layout" and trait.metadata.get("sync")
        }
        begin = ", ".join(
            [f"lw.{type(self).__name__}({first}", *(f"{name}={name}" for name in wanted)]
        )
        return {"call": begin, "traits": traits}

    @property
    def view(self) -> dict[str, Any]:
        """What is seen, as keywords: ``CellGrid(recording, **grid.view)`` shows the same."""
        names = [name for name in self._public_traits() if name != "layout"]
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @traitlets.default("layout")
    def _fills_its_box(self) -> ipywidgets.Layout:
        """Share the room of a box with what stands beside it, however narrow that is."""
        return ipywidgets.Layout(flex="1 1 auto", min_width="0")

    #: What a widget is made of and shows for good, by its argument's name.
    _shown: ClassVar[tuple[str, ...]] = ()

    #: Whether what changes now was changed in the page.
    _from_page = False

    #: Of a still picture, in its pixels.
    _still_width: ClassVar[int] = 900

    #: How high the rows or lines of each part of a figure may be.
    _part_height: ClassVar[int] = 400

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - as its base has them
        """Tell editors, which ask for the signature, the public traits as keywords with their defaults."""
        super().__init_subclass__(**options)
        given = inspect.signature(cls.__init__).parameters.values()
        explicit = [one for one in given if one.kind is not one.VAR_KEYWORD and one.name != "self"]
        names = {one.name for one in explicit}
        keyword = inspect.Parameter.KEYWORD_ONLY
        traits = [
            inspect.Parameter(name, keyword, default=_default(trait))
            for name, trait in cls._public_traits().items()
            if name not in names
        ]
        cls.__signature__ = inspect.Signature([*explicit, *traits])

    @classmethod
    def _public_traits(cls) -> dict[str, traitlets.TraitType[Any, Any]]:
        """Give what a user may set, in the order in which it is defined."""
        host = anywidget.AnyWidget.class_trait_names()
        # Not `class_traits`, which is not there yet while a class is being made.
        traits = {
            name: value
            for kind in reversed(cls.__mro__)
            for name, value in vars(kind).items()
            if isinstance(value, traitlets.TraitType) and not name.startswith("_")
        }
        layout = traits.pop("layout")
        return {name: one for name, one in traits.items() if name not in host} | {"layout": layout}

    def __init__(self, **traits: Any) -> None:  # noqa: ANN401 - each trait checks its own
        # Of what is None anyway, traitlets would have the checks of values see it.
        every = self.traits()
        plainly = {
            name
            for name, value in traits.items()
            if value is None
            and name in every
            and every[name].allow_none
            and _default(every[name]) is None
        }
        kept = {name: plain(value) for name, value in traits.items() if name not in plainly}
        super().__init__(**kept)
        # A widget of its own, which must be there before a page is made of all that there are.
        _ = self.layout
        self.on_msg(self._on_message)

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - each trait checks its own
        """Set a trait, and nothing else: what is misspelt, or can't be changed, is an error."""
        if not name.startswith("_"):
            kind = type(self)
            if name in self._shown:
                raise AttributeError(
                    f"{name}: expected to stay the one that the {kind.__name__} was made with; for another, "
                    f"make a new one: {kind.__name__}({name}, ...)"
                )
            if not hasattr(kind, name):
                known = sorted(self._public_traits())
                raise AttributeError(
                    f"{kind.__name__} has no attribute {name!r} to set; {_meant(name, known)}"
                )
        super().__setattr__(name, plain(value))

    def _expect_known(self, traits: Iterable[str]) -> None:
        """Refuse keywords that are neither an argument nor a trait."""
        known = [*self.__signature__.parameters][1:]  # the first is what is shown
        for name in traits:
            if name not in known:
                raise TypeError(
                    f"{type(self).__name__}() got an unexpected keyword argument {name!r}; "
                    f"{_meant(name, known)}"
                )

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take a change from the page; what goes wrong in it is said under the widget, too."""
        self._from_page = True
        try:
            super().set_state(sync_data)
        except Exception as error:
            self.send({"kind": "error", "text": f"{type(error).__name__}: {error}"})
            raise
        finally:
            self._from_page = False

    def _get_embed_state(self, drop_defaults: bool = False) -> dict[str, Any]:  # noqa: ARG002 - as ipywidgets has it
        """Give the state for a page that others make: all of it, since the page knows no defaults."""
        state: dict[str, Any] = super()._get_embed_state(drop_defaults=False)
        return state

    # -- leaving the notebook --------------------------------------------------------------------

    @property
    def _subject(self) -> str:
        """What is shown, in the heading of a file."""
        return ""

    @property
    def _subtracts(self) -> bool:
        """Whether the page can show differences of its values."""
        return False

    def _file_state(self) -> FileState:
        """Give the traits that a file has in place of the widget's own, and name what it goes without."""
        return FileState({}, [])

    def save_html(
        self, path: str | PathLike[str], *, title: str | None = None, overwrite: bool = False
    ) -> None:
        """
        Save the widget, as it is now, to one HTML file that needs no kernel and no network.

        Sliders, keys, menus and both themes work there. All that is shown is in the file, up to 64 MiB.

        Parameters
        ----------
        path : str or path-like
            The file to write.
        title : str, optional
            The heading. Default: the kind of widget, and what it shows.
        overwrite : bool, default False
            Whether an existing file may be replaced.

        Raises
        ------
        FileExistsError
            If the file exists and may not be replaced.
        FileNotFoundError
            If the folder doesn't exist.
        ValueError
            If what is shown takes more than 64 MiB.

        Examples
        --------
        >>> grid = lw.CellGrid(recording)
        >>> grid.save_html("grid.html", title="Cells that count")
        """
        export.write(path, self._page(self._file_state(), title), overwrite=overwrite)

    def _page(self, file: FileState, title: str | None = None) -> str:
        """Give the widget as a page of its own."""
        return export.page(
            self._traits_in(file),
            esm=self._esm,
            css=self._css,
            host=(STATIC / "page.js").read_text("utf-8"),
            still=self._png(),
            title=self._heading if title is None else title,
            version=metadata.version("lstm-widgets"),
            missing=file.missing,
            rounded=file.rounded,
            subtracted=self._subtracts,
            within=file.within,
        )

    def _traits_in(self, file: FileState) -> dict[str, Any]:
        """Give all traits that a file has."""
        host = {"_esm", "_css", "_anywidget_id", *anywidget.AnyWidget.class_trait_names()}
        state = self.get_state([name for name in self.keys if name not in host])
        return {**state, **file.traits}

    @property
    def _heading(self) -> str:
        """What is shown, and by what."""
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(self).__name__).capitalize()
        return f"{kind}: {self._subject}" if self._subject else kind

    def figure(
        self, *, width: str | float = "page", theme: str = "light", ax: Axes | None = None
    ) -> Figure:
        """
        Draw the widget, as it is now, as a Matplotlib figure.

        It has what is seen of the selection and around it, a legend, and a caption that tells layer, cell,
        signal and self-check. Letters are at least 6 points high in the width that is asked for.

        Parameters
        ----------
        width : {"column", "page"} or float, default "page"
            How wide it is: 3.5 inches, as a journal's column; 7.2 inches, as its page; or so many inches.
        theme : {"light", "dark"}, default "light"
            The colour of the paper, and the palettes for it.
        ax : matplotlib.axes.Axes, optional
            Draw into these axes of your own figure, as wide as they are, in place of a new one; they lose
            their frame and ticks. For text in SVG and PDF files that stays text, save such a figure with
            Matplotlib's ``svg.fonttype`` ``"none"`` and ``pdf.fonttype`` 42.

        Returns
        -------
        matplotlib.figure.Figure
            A new one, which a notebook shows, or that of ``ax``.

        Raises
        ------
        TypeError
            If ``ax`` is none.
        ValueError
            For a width or a theme that there isn't.

        Examples
        --------
        >>> figure = lw.CellGrid(recording, cell=1).figure(width="column")
        >>> print(f"{figure.get_figwidth():g} inches")
        3.5 inches
        """
        from lstm_widgets.figures import artist  # noqa: PLC0415 - imports Matplotlib

        if ax is None:
            return artist.picture(self._sheet(inches_of(width), theme))
        wide, high = artist.size_of(ax)
        inches, most = max(wide, LEAST_WIDTH), self._part_height
        sheet = self._sheet(inches, theme)
        room = high / wide * sheet.width
        for _ in range(4):  # what is too high has fewer rows
            if sheet.height > room:
                most = int(most * max(0.2, room / sheet.height))
                sheet = self._sheet(inches, theme, most=most)
        return artist.draw_on(ax, sheet)

    def save_figure(
        self,
        path: str | PathLike[str],
        *,
        width: str | float = "page",
        theme: str = "light",
        dpi: float = 300,
        overwrite: bool = False,
    ) -> None:
        """
        Write the widget, as it is now, to a file for a paper or a slide.

        Text stays text in SVG and PDF, and a PDF has its fonts.

        Parameters
        ----------
        path : str or path-like
            The file to write: ``.svg``, ``.pdf`` or ``.png``.
        width, theme : optional
            As for `figure`.
        dpi : float, default 300
            Of a PNG: dots an inch.
        overwrite : bool, default False
            Whether a file that stands there may be replaced.

        Raises
        ------
        FileExistsError
            If something stands there that may not be replaced.
        FileNotFoundError
            If the folder doesn't exist.
        ValueError
            For another kind of file, or a width or a theme that there isn't.

        Examples
        --------
        >>> lw.CellGrid(recording, cell=1).save_figure("cells.svg", width="column")
        """
        suffix = Path(path).suffix.lower()
        if suffix not in _SUFFIXES:
            raise ValueError(
                f"path: expected a name with {', '.join(_SUFFIXES)}, got {str(path)!r}"
            )
        from lstm_widgets.figures import artist  # noqa: PLC0415 - imports Matplotlib

        figure = artist.picture(self._sheet(inches_of(width), theme))
        export.write(
            path, figure.file(suffix[1:], dpi=dpi, title=self._heading), overwrite=overwrite
        )

    def _sheet(
        self, inches: float, theme: str, *, framed: bool = False, most: int | None = None
    ) -> Sheet:
        """Draw the widget as it is now."""
        sheet = Sheet(round(inches * UNITS_PER_INCH), theme_of(theme), framed=framed)
        self._draw(sheet, self._part_height if most is None else most)
        return sheet

    def _draw(self, sheet: Sheet, most: int) -> None:  # noqa: ARG002 - subclasses draw it
        """Draw what stands in the widget from top to bottom, each part at most so high."""
        sheet.nothing()

    def _still(self) -> NDArray[np.uint8]:
        """Draw the widget as it is now, on light paper: uint8 (height, width, 3)."""
        from lstm_widgets.figures import artist  # noqa: PLC0415 - imports Matplotlib

        return artist.pixels(self._sheet(self._still_width / UNITS_PER_INCH, "light", framed=True))

    #: ipywidgets 7 displays itself by this, past what stands beside a widget and what Colab has to be told.
    _ipython_display_ = None

    def _repr_mimebundle_(self, **options: Any) -> Any:  # noqa: ANN401 - as IPython has it
        """Put a still picture beside the widget, or beside what is shown in its place (`show_as`)."""
        if shown_as() == "widget":
            bundle: Any = super()._repr_mimebundle_(**options)
            data = bundle[0] if isinstance(bundle, tuple) else bundle
            if data is None:
                return None
        else:
            bundle = data = {"text/plain": repr(self)}
        still = self._png()
        data |= {"image/png": b64encode(still).decode()} if still else {}
        if shown_as() == "page":
            data["text/html"] = frame(self._page(self._file_state()), type(self).__name__)
        return bundle

    def _png(self) -> bytes:
        """Give the still picture as a file; nothing, and a warning, if it can't be drawn."""
        try:
            from lstm_widgets.figures.png import png  # noqa: PLC0415 - imports Pillow

            return png(self._still())
        except Exception as error:  # noqa: BLE001 - the widget itself is there all the same
            warnings.warn(f"no still picture of {type(self).__name__}: {error!r}", stacklevel=3)
            return b""

    # -- the page's requests ---------------------------------------------------------------------

    def _answer(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Answer a request of the page: a message and its buffers."""
        raise ValueError(f"unknown request {content!r:.80}")

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: list[bytes]) -> None:
        """Answer from whichever thread the host calls in; errors go back as text."""
        request = content.get("id") if isinstance(content, dict) else None
        try:
            self.send(*self._answer(content))
        except Exception as error:  # noqa: BLE001 - the page shows it
            self.send({"id": request, "error": f"{type(error).__name__}: {error}"})


def plain(value: Any) -> Any:  # noqa: ANN401 - as it was given
    """Make Python's own numbers of NumPy's, also in a tuple: traits know no others."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and not value.ndim):
        return value.item()
    if type(value) is tuple:
        return tuple(map(plain, value))
    return value


def _meant(name: str, known: Sequence[str]) -> str:
    """Say what a name may have been meant to be, and all that there are."""
    close = get_close_matches(name, known, n=1, cutoff=0.7)
    meant = f"did you mean {close[0]!r}? " if close else ""
    return f"{meant}expected one of: {', '.join(known)}"


def checked_scale(
    scale: str | tuple[float, float], named: tuple[str, ...], trait: str = "scale"
) -> str | tuple[float, float]:
    """Refuse a fixed range that is none."""
    if not isinstance(scale, str):
        low, high = scale
        if not -float("inf") < low < high < float("inf"):
            raise traitlets.TraitError(
                f"{trait}: expected one of {', '.join(named)} or (lowest, highest) with "
                f"lowest < highest, both finite; got {scale}"
            )
    return scale


def _default(trait: traitlets.TraitType[Any, Any]) -> Any:  # noqa: ANN401 - whatever a trait has
    """Give the default of a trait; None where it is made for each widget."""
    if isinstance(trait, traitlets.Tuple) and trait.default_value is traitlets.Undefined:
        return tuple(trait.default_args[0]) if trait.default_args else ()
    return None if trait.default_value is traitlets.Undefined else trait.default_value
