"""How the site is built: `make docs`, strictly, and without a network."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "lstm_widgets"
author = "the lstm_widgets contributors"
copyright = author  # noqa: A001 - the name that Sphinx reads
version = release = metadata.version("lstm-widgets")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "formulas",
    "gallery",
    "links",
    "listing",
]
exclude_patterns = ["_*"]
nitpicky = True
suppress_warnings = ["config.cache"]  # templates are given a function
INSIDE = "analysis|figures|models|recording|rnn|running|tokens|views|widgets"
nitpick_ignore_regex = [
    # What other projects document is named, but their sites can't be asked without a network.
    ("py:.*", r"(xarray|pandas|numpy|keras|scipy|traitlets|ipywidgets)\..*"),
    # What is inside is named by its whole path; not all of it has a page.
    ("py:.*", rf"lstm_widgets\.(({INSIDE})\b|concepts\.\w+\.).*"),
]

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# Formulas in docstrings and pages become MathML, which browsers draw without a script.
html_math_renderer = "mathml"

autodoc_typehints = "none"  # docstrings tell types in words
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
templates_path = ["_templates"]

html_theme = "pydata_sphinx_theme"
html_context = {"default_mode": "auto"}  # light or dark, as the browser has it
html_title = "lstm_widgets"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-light",
    "pygments_dark_style": "a11y-dark",
}
html_sidebars = {"index": [], "get_started": [], "design": [], "contributing": [], "changelog": []}


def link_within_the_site(_app: Sphinx, _page: str, content: list[str]) -> None:
    """Let links to files of the repository, which its web pages follow, lead to their pages here."""
    content[0] = content[0].replace("](../CONTRIBUTING.md)", "](contributing.md)")


def setup(app: Sphinx) -> None:
    """Take part in the build."""
    app.connect("source-read", link_within_the_site)
