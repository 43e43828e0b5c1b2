"""What a user installs: light to import, complete without Node, free of one machine's traces."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


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
def dist(root, tmp_path_factory):
    """Build the sdist, and the wheel from it, in this environment: nothing to download."""
    folder = tmp_path_factory.mktemp("dist")
    # Without Node on the path: no way for a build step to call npm unnoticed.
    command = ("-m", "build", "--no-isolation", "--outdir", str(folder), str(root))
    python(*command, env={**os.environ, "PATH": ""})
    return folder


@pytest.fixture(scope="module")
def wheel(dist):
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(dist):
    (path,) = dist.glob("*.tar.gz")
    return path


def test_the_version_stands_in_one_place(root, wheel, sdist):
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    assert wheel.name == f"lstm_widgets-{project['version']}-py3-none-any.whl"
    assert sdist.name == f"lstm_widgets-{project['version']}.tar.gz"
    repeated = re.compile(rf"\b{re.escape(project['version'])}\b")
    others = ("lstm_widgets/__init__.py", "js/package.json", "CITATION.cff", "docs/conf.py")
    assert not [name for name in others if repeated.search((root / name).read_text("utf-8"))]


def test_wheel_carries_the_whole_package_and_nothing_else(root, wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    expected = {name for name in tracked(root) if name.startswith("lstm_widgets/")}
    assert {"lstm_widgets/py.typed", "lstm_widgets/__init__.pyi"} <= expected
    for widget in ("cell_grid", "example_grid"):
        assert {f"lstm_widgets/static/{widget}.js", f"lstm_widgets/static/{widget}.css"} <= expected
    about = wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"
    told = {f"{about}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")}
    assert packed == expected | told


def test_sdist_carries_what_the_wheel_is_made_of(root, sdist):
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    ours = set(tracked(root))
    left_out = {name for name in ours if name.startswith(("notebooks/", ".ci/", ".github/"))}
    assert packed - {"PKG-INFO"} == ours - left_out


def test_an_index_takes_them(wheel, sdist):
    python("-m", "twine", "check", "--strict", str(wheel), str(sdist))


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_installs_and_imports_in_an_empty_environment(kind, request, tmp_path):
    place = tmp_path / "empty"
    python("-m", "venv", "--without-pip", str(place))
    own = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    python(
        *("-m", "pip", "--disable-pip-version-check", "--python", str(own), "install", "--quiet"),
        *("--no-deps", "--no-index", "--no-build-isolation", "--no-compile"),
        str(request.getfixturevalue(kind)),
        # What builds a wheel of an sdist is in this environment.
        env={**os.environ, "PATH": "", "PYTHONPATH": sysconfig.get_path("purelib")},
    )
    code = """
        import pathlib, sys, sysconfig
        # What it needs is in the environment of the tests, and comes after what is installed here.
        sys.path.append(sys.argv[1])
        import lstm_widgets
        print(pathlib.Path(lstm_widgets.__file__).parent == pathlib.Path(sysconfig.get_path("purelib"), "lstm_widgets"))
        widgets = [getattr(lstm_widgets, name) for name in lstm_widgets.__all__]
        widgets = [each for each in widgets if hasattr(each, "_esm")]
        print(len(widgets) > 8 and all(len(str(each._esm)) > 1000 for each in widgets))
        print("tensorflow" in sys.modules)
    """
    script = tmp_path / "script.py"
    script.write_text("\n".join(line.strip() for line in code.splitlines()))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    run = subprocess.run(
        [str(own), "-I", str(script), sysconfig.get_path("purelib")],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "PATH": ""},
    )
    assert run.stdout.split() == ["True", "True", "False"], run.stderr


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
