"""What runs on the server: what runs here, on each Python that is promised, and releases nobody has a key to."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

WORKFLOWS = ("docs", "release", "tests")


def workflow(root: Any, name: str) -> dict[str, Any]:
    text = (root / ".github" / "workflows" / f"{name}.yml").read_text("utf-8")
    loaded = yaml.safe_load(text)
    return {"on": loaded.pop(True), **loaded}  # YAML's `on` is a truth value


def steps(jobs: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in jobs.values() for step in job["steps"]]


def test_there_are_no_others(root):
    assert {path.stem for path in (root / ".github" / "workflows").iterdir()} == {*WORKFLOWS}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_it_runs_what_can_be_made(root, name):
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    commands = [step["run"] for step in steps(workflow(root, name)["jobs"]) if "run" in step]
    made = {command.split()[1] for command in commands if command.startswith("make ")}
    assert made <= targets
    assert {"tests": {"test", "test-oldest"}, "docs": {"docs"}, "release": set()}[name] == made


@pytest.mark.parametrize("name", WORKFLOWS)
def test_it_may_do_no_more_than_it_has_to(root, name):
    loaded = workflow(root, name)
    assert loaded["permissions"] == {"contents": "read"}
    granted = {job: about.get("permissions", {}) for job, about in loaded["jobs"].items()}
    more = {"release": {"publish": {"id-token": "write"}}, "tests": {}}
    more["docs"] = {"deploy": {"pages": "write", "id-token": "write"}}
    assert {job: each for job, each in granted.items() if each} == more[name]
    text = (root / ".github" / "workflows" / f"{name}.yml").read_text("utf-8")
    assert "secrets." not in text


def test_each_python_is_tried(root):
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    tried = workflow(root, "tests")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert project["requires-python"] == f">={tried[0]}"
    named = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    assert tried == named == ["3.11", "3.12", "3.13"]


def test_a_release_is_a_tag(root):
    loaded = workflow(root, "release")
    assert loaded["on"] == {"push": {"tags": ["v*"]}}
    (build,) = (job for name, job in loaded["jobs"].items() if name == "build")
    commands = [step.get("run", "") for step in build["steps"]]
    assert "python -m build" in commands
    assert "python -m twine check --strict dist/*" in commands
    assert loaded["jobs"]["publish"]["needs"] == "build"


def test_a_commit_is_checked_by_the_same(root):
    loaded = yaml.safe_load((root / ".pre-commit-config.yaml").read_text("utf-8"))
    (repository,) = loaded["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == ["make lint", "make test-js"]


def test_how_to_cite_it(root):
    citation = yaml.safe_load((root / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert citation["license"] == project["license"]
