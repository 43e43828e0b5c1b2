"""Which Chromium drives the browser tests; as a program, installs one where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Path of the browser: $CHROMIUM, else one on PATH, else Playwright's own, else None."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    # In a process of its own: the caller may already run Playwright, which can't be started twice.
    probe = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as p: print(p.chromium.executable_path)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    path = answer.stdout.strip()
    return path if answer.returncode == 0 and Path(path).is_file() else None


def missing() -> str:
    """One line for people: what to do about the missing browser."""
    named = os.environ.get("CHROMIUM")
    if named:
        return f"no Chromium: CHROMIUM={named} is not a program"
    return "no Chromium: install the package 'chromium', or set CHROMIUM to a browser's path"


def _attempt(*command: str) -> bool:
    sys.stderr.write(f"+ {' '.join(command)}\n")
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


def install() -> str | None:
    """Find Chromium, or install it (Debian's package as root, else Playwright's) and find it."""
    found = find_chromium()
    if found or os.environ.get("CHROMIUM"):
        return found
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        _attempt("apt-get", "update", "-qq")
        if _attempt("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"):
            return find_chromium()
    _attempt(sys.executable, "-m", "playwright", "install", "chromium")
    return find_chromium()


if __name__ == "__main__":
    path = install()
    sys.exit(None if path else missing())
