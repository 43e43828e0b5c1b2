"""Public names are imported when they are first used, and are what they are called, whatever came before."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

import lstm_widgets

#: What is public as a module.
MODULES = {"concepts", "errors"}
#: Names of modules from elsewhere that came with what was just run.
CAME = "{m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)"


def fresh(code, result):
    """Run code in a process of its own; an expression's value after it."""
    code = f"import json, sys\nbefore = set(sys.modules)\n{code}\nprint(json.dumps({result}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def stub(root):
    """Where each name comes from, as type checkers and editors read it."""
    tree = ast.parse((root / "lstm_widgets" / "__init__.pyi").read_text("utf-8"))
    return {
        alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_importing_the_package_imports_nothing_else():
    came = fresh("import lstm_widgets", f"sorted({CAME})")
    assert came == ["lazy_loader", "lstm_widgets"]


def test_recording_imports_no_widgets_and_no_framework():
    came = set(fresh("import lstm_widgets as lw\nlw.record", f"sorted({CAME})"))
    assert "xarray" in came
    needless = {"zarr", "anywidget", "ipywidgets", "PIL", "matplotlib", "h5py", "scipy", "numba"}
    assert not came & {*needless, "tensorflow", "keras", "torch"}


def test_the_stub_names_what_is_public(stub, root):
    tree = ast.parse((root / "lstm_widgets" / "__init__.pyi").read_text("utf-8"))
    (public,) = [ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)]
    assert public == sorted(stub)
    assert sorted(lstm_widgets.__all__) == public
    assert dir(lstm_widgets) == public


def test_names_are_what_they_are_called_after_every_module_was_imported(stub):
    # A module that is imported becomes an attribute of its package, in the place of a function of its name.
    count, kinds, other, is_package = fresh(
        f"""
import importlib, pkgutil
import lstm_widgets as lw
modules = [m.name for m in pkgutil.walk_packages(lw.__path__, "lstm_widgets.")]
for name in modules:
    importlib.import_module(name)
star = {{}}
exec("from lstm_widgets import *", star)
other = []
for name, home in {stub!r}.items():
    what = importlib.import_module(f"lstm_widgets.{{home or name}}")
    what = getattr(what, name) if home else what
    if not getattr(lw, name) is star[name] is what:
        other.append(name)
kinds = {{
    name: "class" if isinstance(star[name], type) else type(star[name]).__name__
    for name in lw.__all__
}}
""",
        "[len(modules), kinds, other, hasattr(lw.concepts, '__path__')]",
    )
    assert count > 40
    assert other == []
    assert {name for name, kind in kinds.items() if kind == "module"} == MODULES
    assert is_package
    assert {
        name: kind for name, kind in kinds.items() if kind != "class" and name[0].isupper()
    } == {}
    functions = {name for name in kinds if name[0].islower()} - MODULES
    assert {kinds[name] for name in functions} == {"function"}


def test_no_public_function_has_a_module_of_its_name_beside_it(root):
    beside = {path.stem for path in (root / "lstm_widgets").iterdir()}
    assert set(lstm_widgets.__all__) & beside == MODULES


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="recrod"):
        _ = lstm_widgets.recrod
