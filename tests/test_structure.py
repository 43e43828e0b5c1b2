"""The folders of the package: imports point one way, and nobody reaches into another folder."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = "lstm_widgets"
#: Each may import those before it. `datasets`, the example tasks, may import all; nothing imports it.
ORDER = (
    *(
        "errors",
        "checks",
        "lru",
        "tokens",
        "colours",
        "rnn",
        "recording",
        "concepts",
        "models",
        "running",
    ),
    *("analysis", "views", "figures", "widgets", "datasets"),
)


class Import(NamedTuple):
    """One imported name: where it stands, in which folder, and from which folder it comes."""

    place: str
    folder: str
    imported: str
    path: tuple[str, ...]


def imports(root: Path) -> Iterator[Import]:
    """Give what is imported from other folders, also within functions and for types only.

    Types count: who needs another folder's types to be read can't be understood without it.
    """
    package = root / PACKAGE
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        folder = parts[0]
        if folder == "__init__":
            continue  # the public names, from everywhere
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names = [tuple(alias.name.split(".")) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file}:{node.lineno}: import by the full name"
                module = tuple((node.module or "").split("."))
                names = [(*module, alias.name) for alias in node.names]
            else:
                continue
            for name in names:
                if name[0] == PACKAGE and len(name) > 1 and name[1] != folder:
                    place = f"{file.relative_to(root)}:{node.lineno}"
                    yield Import(place, folder, name[1], name[2:])


@pytest.fixture(scope="module")
def found(root: Path) -> list[Import]:
    return list(imports(root))


def test_every_folder_has_its_place_in_the_order(root: Path) -> None:
    names = {path.stem for path in (root / PACKAGE).glob("*.py")}
    names |= {path.parent.name for path in (root / PACKAGE).glob("*/__init__.py")}
    assert names - {"__init__"} <= set(ORDER)


def test_imports_point_one_way(found: list[Import]) -> None:
    wrong = {
        f"{one.place}: {one.folder} may not import {one.imported}"
        for one in found
        if ORDER.index(one.folder) <= ORDER.index(one.imported)
    }
    assert sorted(wrong) == []


def test_no_folder_uses_what_is_private_to_another(found: list[Import]) -> None:
    private = [
        f"{one.place}: {'.'.join(one.path)}"
        for one in found
        if any(part.startswith("_") for part in one.path)
    ]
    assert private == []
