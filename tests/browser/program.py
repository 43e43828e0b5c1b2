"""Servers that tests start: a port, folders of their own, and an end."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


def free_port() -> int:
    """Give a port that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def jupyter_environment(folder: Path) -> dict[str, str]:
    """Make folders for all that Jupyter keeps, below ``folder``; give the environment that says so."""
    kept = {"config": "CONFIG_DIR", "data": "DATA_DIR", "runtime": "RUNTIME_DIR"}
    folders = {f"JUPYTER_{variable}": folder / name for name, variable in kept.items()}
    for name in ("settings", "workspaces"):
        folders[f"JUPYTERLAB_{name.upper()}_DIR"] = folder / name
    folders["IPYTHONDIR"] = folder / "ipython"
    for path in (folder / "root", *folders.values()):
        path.mkdir(parents=True)
    folders["JUPYTER_RUNTIME_DIR"].chmod(0o700)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "JPY_", "IPYTHON"))
    }
    return inherited | {name: str(path) for name, path in folders.items()}


class Program:
    """A program that runs, and what it has said."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until it is ready; an error with its last words if it ends before, or takes too long."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self.process.poll() is None:
            if ready():
                return
            time.sleep(0.1)
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])
        raise RuntimeError(f"{self.process.args} did not start:\n{tail}")

    def wait_for(self, port: int) -> None:
        """Wait until it listens to a port."""

        def listens() -> bool:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                return False
            return True

        self.wait_until(listens)


@contextmanager
def running(command: Sequence[str], folder: Path, environment: dict[str, str]) -> Iterator[Program]:
    """Run a program in a folder until the block ends."""
    log = folder / "program.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Program(process, log)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
