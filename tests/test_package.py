"""What a user installs: light to import, complete without Node, free of one machine's traces."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


def python(*arguments: str, **options) -> str:
    """Run Python in a process of its own; its output."""
    run = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, **options
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def tracked(root: Path) -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True
    )
    return [name for name in listing.stdout.split("\0") if name]


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    # The back end itself, in this environment and without Node on the path: no isolated build to
    # download, and no way for a build step to call npm unnoticed.
    folder = tmp_path_factory.mktemp("wheel")
    name = python(
        "-c",
        "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))",
        str(folder),
        cwd=root,
        env={**os.environ, "PATH": ""},
    )
    return folder / name.split()[-1]


def test_wheel_carries_the_whole_package(root, wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    expected = {name for name in tracked(root) if name.startswith("lstm_widgets/")}
    assert expected <= packed
    assert {"lstm_widgets/py.typed", "lstm_widgets/__init__.pyi"} <= packed
    for widget in ("cell_grid", "example_grid"):
        assert {f"lstm_widgets/static/{widget}.js", f"lstm_widgets/static/{widget}.css"} <= packed
    assert not [name for name in packed if name.startswith(("js/", "tests/", "notebooks/"))]


def test_installed_wheel_works_without_node(wheel, tmp_path):
    python(
        *("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"),
        *("--disable-pip-version-check", "--target", str(tmp_path / "site"), str(wheel)),
        env={**os.environ, "PATH": ""},
    )
    code = """
        import pathlib, lstm_widgets
        from lstm_widgets import CellGrid, ExampleGrid
        print(pathlib.Path(lstm_widgets.__file__).parent)
        print(all(len(str(w._esm)) > 1000 for w in (CellGrid, ExampleGrid)))
    """
    script = tmp_path / "script.py"
    script.write_text("\n".join(line.strip() for line in code.splitlines()))
    place, complete = python(
        str(script), env={**os.environ, "PATH": "", "PYTHONPATH": str(tmp_path / "site")}
    ).splitlines()
    assert Path(place) == tmp_path / "site" / "lstm_widgets"
    assert complete == "True"


def test_no_file_names_a_registry_or_a_home(root):
    # In pieces, or this file would name them itself.
    words = ("pypi" + r"\.org", "registry" + r"\.npmjs", "pythonhosted" + r"\.org")
    folders = ("/ro" + "ot/", "/ho" + "me/", "/Use" + "rs/")
    forbidden = re.compile("|".join((*words, *folders)).encode())
    found = [
        f"{name}: {match.group().decode()}"
        for name in tracked(root)
        if (root / name).is_file()
        for match in forbidden.finditer((root / name).read_bytes())
    ]
    assert found == []


def test_lock_file_carries_no_addresses(root):
    lock = json.loads((root / "js" / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []


def test_constraints_are_versions_only(root):
    lines = (root / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 50
    assert [
        pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", pin)
    ] == []
    assert not [pin for pin in pins if re.match(r"lstm[-_]widgets", pin)]
