"""Write a file or folder under a temporary name, then move it into place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clemkit.errors import ArgumentError

__all__ = ["atomic_path"]


@contextmanager
def atomic_path(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary sibling of *path* that replaces it when the block ends well.

    Parameters
    ----------
    path : path
        The file or folder to make; its parent folder must exist.
    overwrite : bool
        Whether an existing *path* may be replaced.

    Raises
    ------
    ArgumentError
        *path* exists and may not be replaced, or its folder does not exist.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise ArgumentError(f"{target}: exists already; pass overwrite=True to replace it")
    if not target.parent.is_dir():
        raise ArgumentError(f"{target}: its folder {target.parent} does not exist; make it first")
    # the suffix stays last, since some writers look at it
    temporary = target.with_name(f".{os.getpid()}.tmp.{target.name}")
    try:
        yield temporary
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)  # a folder cannot be replaced in one step
        os.replace(temporary, target)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)
