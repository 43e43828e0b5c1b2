"""What the reference lists: a class's own methods and properties, and the concepts that are ready to use."""

from __future__ import annotations

import importlib
import inspect
import itertools
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import lstm_widgets as lw

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

#: What the page of a widget calls; nobody else needs to.
FOR_THE_PAGE = {"notes_changed", "set_state"}
KINDS = {"yes_no": "yes or no", "numeric": "number"}


def own_members(module: str, name: str) -> list[tuple[str, str]]:
    """Give the directive and the name of each public method and property, not those of its bases."""
    kind = getattr(importlib.import_module(module), name)
    ours = [one for one in reversed(kind.__mro__) if one.__module__.startswith("lstm_widgets")]
    names = dict.fromkeys(key for one in ours for key in vars(one) if not key.startswith("_"))
    members = []
    for key in names:
        member = inspect.getattr_static(kind, key)
        if key in FOR_THE_PAGE or not (inspect.getdoc(member) or "").strip():
            continue
        if isinstance(member, property) or type(member).__name__ == "cached_property":
            members.append(("autoproperty", key))
        elif inspect.isroutine(member) or isinstance(member, classmethod):
            members.append(("automethod", key))
    return members


def worded(text: str) -> list[nodes.Node]:
    """Make nodes of a text in which code stands between backticks."""
    return [
        nodes.literal(text=part) if code else nodes.Text(part)
        for code, part in zip(itertools.cycle((False, True)), text.split("`"), strict=False)
    ]


class ReadyConcepts(SphinxDirective):
    """A definition for each concept of `lstm_widgets.concepts` that takes no arguments."""

    def run(self) -> list[nodes.Node]:
        """Make the list, in alphabetical order."""
        listed = nodes.definition_list()
        for name in lw.concepts.__all__:
            concept = getattr(lw.concepts, name)
            if not isinstance(concept, lw.concepts.Concept):
                continue
            kind = nodes.inline(text=f" {KINDS[concept.kind]}", classes=["kind"])
            term = nodes.term("", "", nodes.literal(text=name), kind)
            told = nodes.definition("", nodes.paragraph("", "", *worded(concept.description)))
            listed += nodes.definition_list_item("", term, told)
        return [listed]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Let templates of autosummary call the one, and pages name the other."""
    app.config.autosummary_context = {"own_members": own_members}
    app.add_directive("ready-concepts", ReadyConcepts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
