"""ZIP archives: a stack of TIFF or PNG planes, or one volume file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from clemkit.errors import FormatError
from clemkit.volumes.readers.info import Found, Selection
from clemkit.volumes.readers.plane_series import is_plane, plane_files, stack_of
from clemkit.volumes.readers.scratch import scratch_file
from clemkit.volumes.readers.tiff import read_tiff

__all__ = ["read_zip_series"]

_STEP = 1 << 20


def read_zip_series(path: Path, selection: Selection) -> Found:
    """Read the header of an image inside a ZIP archive.

    Several planes make a stack. A single TIFF is unpacked into a scratch file first, because
    its parts cannot be reached at random inside the archive.

    Raises
    ------
    FormatError
        The archive is damaged or holds no planes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if not n.endswith("/") and is_plane(n)]
    except zipfile.BadZipFile as error:
        raise FormatError(path, f"expected a ZIP archive; found: {error}") from error
    folders = {name.rpartition("/")[0] for name in names}
    if len(folders) > 1:
        raise FormatError(
            path, f"expected planes in one folder; found {len(folders)}: {sorted(folders)[:4]}"
        )
    if len(names) == 1 and names[0].lower().endswith((".tif", ".tiff")):
        found = read_tiff(scratch_file(path, names[0], lambda: _pieces(path, names[0])), selection)
        return replace(found, info=replace(found.info, path=path))
    return stack_of(plane_files(path, names, lambda name: _member(path, name)), "zip")


def _member(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    except (zipfile.BadZipFile, EOFError) as error:
        raise FormatError(path, f"{name} is damaged inside the archive: {error}") from error


def _pieces(path: Path, name: str) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
            while data := stream.read(_STEP):
                yield data
    except (zipfile.BadZipFile, EOFError) as error:
        raise FormatError(path, f"{name} is damaged inside the archive: {error}") from error
