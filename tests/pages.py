"""Examples on pages: the blocks of Python in a Markdown file, run one after the other as cells of a notebook."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path) -> list[tuple[int, str]]:
    """Give each block of Python with the number of the line before it."""
    text = page.read_text(encoding="utf-8")
    found = [(text.count("\n", 0, match.start(1)), match[1]) for match in BLOCK.finditer(text)]
    assert len(found) == text.count("```python")
    return found


def run(page: Path, names: dict[str, Any]) -> None:
    """Run a page's examples with these names, and show what a notebook would show below a cell."""
    for line, block in blocks(page):
        module = ast.parse(block)
        ast.increment_lineno(module, line)
        last = module.body[-1]
        if not isinstance(last, ast.Expr):
            exec(compile(module, page.name, "exec"), names)
            continue
        exec(compile(ast.Module(module.body[:-1], []), page.name, "exec"), names)
        shown = eval(compile(ast.Expression(last.value), page.name, "eval"), names)
        if hasattr(shown, "_repr_mimebundle_"):
            assert shown._repr_mimebundle_()
