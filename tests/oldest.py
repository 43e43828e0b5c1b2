"""Print the oldest versions that ``pyproject.toml`` allows of what the package needs, as constraints of pip.

    python tests/oldest.py > build/oldest.txt

What tests need besides is as new as fits: no promise is made about it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

# What users may install besides; `keras` is in `tensorflow`.
EXTRAS = ("tensorflow", "torch", "analysis", "dask", "remote")
LOWER = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?>=([0-9][^,; ]*)(?:,[^;]*)?(;.*)?")


def oldest(pyproject: str) -> list[str]:
    """Give ``name==version`` of each requirement that users install."""
    project = tomllib.loads(pyproject)["project"]
    extras = project["optional-dependencies"]
    needed = [one for name in EXTRAS for one in extras[name]]
    pins = []
    for requirement in [*project["dependencies"], *needed]:
        found = LOWER.fullmatch(requirement)
        if found is None:
            raise ValueError(f"pyproject.toml: {requirement!r} has no lower bound")
        name, version, marker = found.groups()
        pins.append(f"{name}=={version}{marker or ''}")
    return pins


if __name__ == "__main__":
    sys.stdout.write("\n".join(oldest(Path("pyproject.toml").read_text("utf-8"))) + "\n")
