"""Every notebook runs from top to bottom, with no page around it."""

from __future__ import annotations

import subprocess
import sys

import pytest

NOTEBOOKS = ("01_addition.ipynb",)


def test_every_notebook_is_run(root):
    assert tuple(sorted(path.name for path in (root / "notebooks").glob("*.ipynb"))) == NOTEBOOKS


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs(root, tmp_path, name):
    run = subprocess.run(
        [
            *(sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute"),
            *("--ExecutePreprocessor.timeout=600", "--output-dir", str(tmp_path)),
            str(root / "notebooks" / name),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / name).is_file()
