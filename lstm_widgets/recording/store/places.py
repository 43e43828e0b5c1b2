"""Where a recording stands: a directory, a zip file, a bucket, or any other store of Zarr.

What a file says never decides where something is read from: a place gives what stands beneath it, and
nothing else.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
import stat
import sys
import zipfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore, StorePath

from lstm_widgets.errors import RecordingFileError
from lstm_widgets.recording.store.layout import DATA, METADATA, count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zarr.core.buffer import Buffer, BufferPrototype

__all__ = ["LARGEST", "PROTOCOLS", "Place", "place_of"]

#: Bytes of a single file, or of the values of a single chunk: what has more was written by nobody who
#: wanted it to be read.
LARGEST = 1 << 28
#: Whose addresses are opened. Each leads to one server or disk, and to nothing that what lies there names;
#: others unpack, refer, run commands or unpickle.
PROTOCOLS = (
    *("file", "memory", "http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hf"),
)
# Up to so many files are counted when a directory is opened; more would take longer than opening does.
_COUNTED = 1_000
_SECRETS = re.compile(r"(?<=//)[^/@\s'\"]*@|\?[^\s'\")]*=[^\s'\")]*")
_OWN_STORE = (
    "whatever else Zarr opens can be passed as a store of your own making, as of "
    "zarr.storage.FsspecStore.from_url(address, read_only=True)"
)


class Place(ABC):
    """Where a recording stands.

    Attributes
    ----------
    address : str
        How errors name it, without passwords.
    """

    address: str

    @abstractmethod
    async def _get(self, key: str, prototype: BufferPrototype) -> Buffer | None:
        """Read a file; None where there is none."""

    async def get(self, key: str, prototype: BufferPrototype) -> Buffer | None:
        """Read one file beneath the place; None where there is none.

        Raises
        ------
        RecordingFileError
            If it isn't the place's own, or larger than any file of a recording.
        OSError
            If the disk or the server fails; the text names the file and the address.
        """
        try:
            return await self._get(key, prototype)
        except RecordingFileError:
            raise
        except Exception as error:  # noqa: BLE001 - a server's client has errors of its own
            told = f"{type(error).__name__}: {error}"
            plain = without_secrets(told)
            raise OSError(f"could not read {key!r} of {self.address!r}: {plain}") from (
                error if told == plain else None
            )

    def read(self, keys: Sequence[str]) -> list[bytes | None]:
        """Read some files at the same time."""

        async def every() -> list[Buffer | None]:
            prototype = default_buffer_prototype()
            return await asyncio.gather(*(self.get(key, prototype) for key in keys))

        return [None if found is None else found.to_bytes() for found in sync(every())]

    def source(self, key: str) -> str:
        """Name what stands beneath the place: a path of this machine, or an address with ``://``."""
        return f"{self.address}/{key}"

    def count(self, _folder: str, _files: int) -> tuple[int, int] | None:
        """Count the files of a folder and their bytes, where that costs little; else None."""
        return None

    @property
    def begun(self) -> bool:
        """Whether data of a recording stand here, though nothing says that they are complete."""
        return False


@dataclass(frozen=True)
class _Directory(Place):
    root: Path
    address: str

    async def _get(self, key: str, prototype: BufferPrototype) -> Buffer | None:
        found = await asyncio.to_thread(self._read, key)
        return None if found is None else prototype.buffer.from_bytes(found)

    def _read(self, key: str) -> bytes | None:
        path = Path(os.path.realpath(self.root / key))
        if self.root not in path.parents:
            raise RecordingFileError(
                f"{key!r} of {self.address!r} is a link that leads out of the recording; a copy that "
                "follows links can be opened"
            )
        try:
            found = path.stat()
            # A pipe or a device would never end.
            if not stat.S_ISREG(found.st_mode):
                return None
            _expect_size(found.st_size, key, self.address)
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def source(self, key: str) -> str:
        return str(self.root / key)

    def count(self, folder: str, files: int) -> tuple[int, int] | None:
        return count(self.root / folder) if files <= _COUNTED else None

    @property
    def begun(self) -> bool:
        return any(DATA.fullmatch(entry.name) for entry in self.root.iterdir())


@dataclass(frozen=True)
class _Zip(Place):
    path: Path
    address: str
    stamp: tuple[int, int]
    top: str

    async def _get(self, key: str, prototype: BufferPrototype) -> Buffer | None:
        found = await asyncio.to_thread(self._read, key)
        return None if found is None else prototype.buffer.from_bytes(found)

    def _read(self, key: str) -> bytes | None:
        archive = _archive(self.path, self.stamp)
        try:
            file = archive.getinfo(self.top + key)
        except KeyError:
            return None
        _expect_size(file.file_size, key, self.address)
        try:
            return archive.read(file)
        except OSError:
            raise
        except Exception as error:  # each way to compress has errors of its own
            raise RecordingFileError(
                f"{key!r} of {self.address!r} is damaged: {error!r}"
            ) from error

    def source(self, key: str) -> str:
        return f"zip://{self.path}/{self.top}{key}"

    def count(self, folder: str, _files: int) -> tuple[int, int] | None:
        sizes = [
            file.file_size
            for file in _archive(self.path, self.stamp).infolist()
            if file.filename.startswith(f"{self.top}{folder}/")
            and not file.is_dir()
            and not file.filename.rpartition("/")[2].startswith(".")
        ]
        return len(sizes), sum(sizes)

    @property
    def begun(self) -> bool:
        names = _archive(self.path, self.stamp).namelist()
        return any(DATA.fullmatch(part) for name in names for part in name.split("/")[:2])


@dataclass(frozen=True)
class _Elsewhere(Place):
    store: Store
    root: str
    address: str

    async def _get(self, key: str, prototype: BufferPrototype) -> Buffer | None:
        path = await StorePath.open(self.store, f"{self.root}/{key}" if self.root else key)
        return await path.get(prototype)

    def source(self, key: str) -> str:
        address = self.address if "://" in self.address else f"store://{self.address}"
        return f"{address}/{key}"


def place_of(path: Any, storage_options: Mapping[str, Any] | None = None) -> Place:  # noqa: ANN401
    """Find where a recording stands, as :func:`lstm_widgets.open_recording` is told.

    Raises
    ------
    FileNotFoundError
        If nothing stands at a path of this machine.
    RecordingFileError
        If a file stands there that isn't a zip file of a recording.
    TypeError, ValueError
        If it is neither a path, nor an address that may be opened, nor a store.
    """
    if isinstance(path, str) and "://" in path:
        return _of_address(path, storage_options)
    if storage_options is not None:
        raise ValueError(
            f"storage_options: expected an address such as 's3://...' with them, got {path!r:.80}"
        )
    if isinstance(path, StorePath):
        return _Elsewhere(path.store, path.path, without_secrets(str(path)))
    if isinstance(path, Store):
        return _Elsewhere(path, "", without_secrets(str(path)))
    if _is_mapper(path):
        store = FsspecStore.from_mapper(path, read_only=True)
        return _Elsewhere(store, "", without_secrets(path.fs.unstrip_protocol(path.root)))
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise TypeError(
            "path: expected a directory or a zip file (str or Path), an address such as 's3://...', "
            f"a mapper of fsspec or a store of Zarr, got {path!r:.80}"
        )
    return _of_path(Path(path))


def _is_mapper(path: Any) -> bool:  # noqa: ANN401
    mapping = sys.modules.get("fsspec.mapping")
    return mapping is not None and isinstance(path, mapping.FSMap)


def _of_path(path: Path) -> Place:
    if not path.exists():
        raise FileNotFoundError(f"path: expected a recording, found nothing at {str(path)!r}")
    if path.is_dir():
        return _Directory(Path(os.path.realpath(path)), str(path))
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            cut = file.read(4) == b"PK\3\4"
        problem = "the beginning of a zip file, whose end is missing" if cut else "which isn't one"
        raise RecordingFileError(f"path: expected a recording, got {str(path)!r}, {problem}")
    found = path.stat()
    stamp = found.st_size, found.st_mtime_ns
    try:
        names = _archive(path.absolute(), stamp).namelist()
    except zipfile.BadZipFile as error:
        raise RecordingFileError(f"path: {str(path)!r} is damaged: {error}") from error
    return _Zip(path.absolute(), str(path), stamp, _top(names))


def _top(names: Iterable[str]) -> str:
    """Find the folder of a zip file in which the recording is: most tools put all into a single one."""
    found = set(names)
    # Beside it there may be what file browsers leave.
    tops = {name.partition("/")[0] for name in found if not name.startswith(("__MACOSX", "."))}
    if METADATA not in found and len(tops) == 1:
        return f"{tops.pop()}/"
    return ""


@functools.lru_cache(maxsize=8)
def _archive(path: Path, stamp: tuple[int, int]) -> zipfile.ZipFile:
    """Open a zip file, whose table of contents is read once however many blocks are sent here."""
    found = path.stat()
    if (found.st_size, found.st_mtime_ns) != stamp:
        raise RecordingFileError(
            f"path: the recording at {str(path)!r} was replaced since it was opened"
        )
    return zipfile.ZipFile(path)


def _of_address(path: str, storage_options: Mapping[str, Any] | None) -> Place:
    told, protocol = without_secrets(path), path.partition("://")[0].lower()
    if "::" in path:
        raise ValueError(
            f"path: expected the address of one place, got the chained {told!r}; {_OWN_STORE}"
        )
    if protocol not in PROTOCOLS:
        known = ", ".join(f"{each}://" for each in PROTOCOLS)
        raise ValueError(f"path: expected an address of {known}; got {told!r}; {_OWN_STORE}")
    parts = urlsplit(path)
    if protocol == "file":
        if storage_options is not None or parts.netloc not in ("", "localhost"):
            raise ValueError(
                f"path: expected file:///... of this machine, without storage_options, got {told!r}"
            )
        return _of_path(Path(url2pathname(parts.path)))
    if protocol in ("http", "https") and parts.query:
        raise ValueError(
            f"path: expected the address of a directory, to which the names of its files can be added; "
            f"got {told!r} with a query"
        )
    if path.lower().endswith(".zip"):
        raise ValueError(
            f"path: zip files are opened from a disk only, got {told!r}: copy it here, or unpack it there"
        )
    try:
        store = FsspecStore.from_url(
            f"{protocol}{path[len(protocol) :].rstrip('/')}",
            storage_options=dict(storage_options or {}),
            read_only=True,
        )
    except ModuleNotFoundError as error:
        if error.name != "fsspec":
            raise
        raise ModuleNotFoundError(
            'addresses need fsspec, which isn\'t installed: pip install "lstm-widgets[remote]"',
            name="fsspec",
        ) from None
    return _Elsewhere(store, "", told.rstrip("/"))


def _expect_size(size: int, key: str, address: str) -> None:
    if size > LARGEST:
        raise RecordingFileError(
            f"{key!r} of {address!r} has {size} bytes; no file of a recording has more than {LARGEST}"
        )


def without_secrets(text: str) -> str:
    """Take names, passwords and signatures out of the addresses in a text."""
    return _SECRETS.sub("", text)
