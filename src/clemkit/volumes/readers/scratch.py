"""Compressed voxels are unpacked once into a scratch file, removed when the process ends."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from clemkit.errors import DataError, FormatError
from clemkit.volumes.writers.atomic import REFUSED_BY_DISK

__all__ = ["inflate", "scratch_file"]

_STEP = 1 << 20
_lock = threading.Lock()
_known: dict[tuple[str, int, int, str], Path] = {}
_folder: Path | None = None


def scratch_file(path: Path, key: str, pieces: Callable[[], Iterable[bytes]]) -> Path:
    """Return a scratch copy of what *pieces* yields, made once per process and file state.

    Parameters
    ----------
    path : Path
        The compressed file.
    key : str
        What inside the file is meant, for example a ZIP member.
    pieces : callable
        Yields the unpacked bytes.

    Raises
    ------
    DataError
        The temporary folder has no room.
    """
    global _folder
    state = path.stat()
    identity = (str(path.resolve()), state.st_size, state.st_mtime_ns, key)
    with _lock:
        if identity in _known and _known[identity].exists():
            return _known[identity]
        if _folder is None:
            _folder = Path(tempfile.mkdtemp(prefix="clemkit-"))
            atexit.register(shutil.rmtree, _folder, ignore_errors=True)
        target = _folder / f"{len(_known)}-{Path(key).name or 'voxels'}"
        try:
            with target.open("wb") as stream:
                for piece in pieces():
                    stream.write(piece)
        except OSError as error:
            target.unlink(missing_ok=True)
            if error.errno in REFUSED_BY_DISK:
                raise DataError(
                    f"{path}: cannot be unpacked into {_folder}: {os.strerror(error.errno)}; "
                    "free some space or set TMPDIR"
                ) from error
            raise
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        _known[identity] = target
        return target


def inflate(path: Path, offset: int) -> Iterator[bytes]:
    """Yield the bytes of a gzip or zlib stream that starts at *offset* of a file.

    Raises
    ------
    FormatError
        The stream is damaged or ends too early.
    """
    with path.open("rb") as stream:
        stream.seek(offset)
        yield from _inflate(stream, path)


def _inflate(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    engine = zlib.decompressobj(wbits=47)  # 32 + 15: gzip or zlib, by its header
    try:
        while data := stream.read(_STEP):
            while data:
                yield engine.decompress(data)
                data = engine.unused_data
                if engine.eof and data[:2] == b"\x1f\x8b":  # gzip members may follow each other
                    engine = zlib.decompressobj(wbits=47)
                elif engine.eof:
                    return
    except zlib.error as error:
        raise FormatError(path, f"the compressed voxels are damaged: {error}") from error
    if not engine.eof:
        raise FormatError(path, "the compressed voxels end too early; copy the file again")
