"""Outputs appear whole or not at all: write beside the target, then rename."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from clemkit.errors import ArgumentError, NotFoundError

__all__ = ["REFUSED_BY_DISK", "atomic_output", "check_free"]

REFUSED_BY_DISK = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
)


def check_free(path: Path, overwrite: bool) -> None:
    """Raise unless *path* may be written.

    Raises
    ------
    ArgumentError
        Something is there and may not be replaced.
    NotFoundError
        The folder that should hold it does not exist.
    """
    if not path.parent.is_dir():
        raise NotFoundError(f"{path.parent}: expected an existing folder; make it first")
    if path.exists() and not overwrite:
        raise ArgumentError(
            f"{path}: expected a free name; found an existing output; "
            "choose another name or allow overwriting (--overwrite)"
        )


@contextmanager
def atomic_output(path: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary name beside *path*; rename it on success, remove it on failure.

    An old output stays until the new one is complete.

    Raises
    ------
    ArgumentError, NotFoundError
        As :func:`check_free`.
    """
    check_free(path, overwrite)
    tag = f"{os.getpid()}.{uuid4().hex[:8]}"
    temporary = path.with_name(f".{path.name}.{tag}.tmp")
    try:
        yield temporary
        if temporary.is_dir() and path.exists():  # a folder cannot replace another in one step
            old = path.with_name(f".{path.name}.{tag}.old")
            os.rename(path, old)
            try:
                os.rename(temporary, path)
            except OSError:
                os.rename(old, path)
                raise
            _remove(old)
        else:
            check_free(path, overwrite)
            os.replace(temporary, path)
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
