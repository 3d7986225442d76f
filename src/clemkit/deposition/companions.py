"""Files that a header file needs beside it, so that no image is packed by half."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["companions"]

_LIMIT = 1 << 20  # bytes of a header in which the names stand
_NAMES = {
    # BigDataViewer XML, MetaImage, NRRD with a detached header, OME-XML of a set of files
    ".xml": re.compile(rb'<(?:hdf5|n5|zarr)\b[^>]*type="relative"[^>]*>([^<]+)</'),
    ".mhd": re.compile(rb"^ElementDataFile\s*=\s*(\S[^\r\n]*)", re.MULTILINE),
    ".nhdr": re.compile(rb"^data file:\s*(\S[^\r\n]*)", re.MULTILINE),
}


def companions(path: Path) -> Iterator[Path]:
    """Yield what *path* refers to: the container of a BigDataViewer XML, detached voxels.

    Only names that lead to something that exists; what is missing, the reader reports.
    """
    pattern = _NAMES.get(path.suffix.lower())
    if pattern is None or not path.is_file():
        return
    with path.open("rb") as stream:
        text = stream.read(_LIMIT)
    for name in pattern.findall(text):
        other = path.parent / name.decode("utf-8", "replace").strip()
        if other.exists() and other != path:
            yield other
