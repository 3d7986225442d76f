"""SHA-256 and MD5 of a file in one pass, and the manifests that ``sha256sum -c`` reads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clemkit.errors import DepositionError

__all__ = ["Checksums", "copy_and_digest", "digest_bytes", "digest_file", "manifest_text"]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Checksums:
    """Digests of one content.

    Attributes
    ----------
    sha256, md5 : str
        Hexadecimal.
    """

    sha256: str
    md5: str


def digest_file(path: Path, size: int, mtime_ns: int) -> Checksums:
    """Digest a file that is expected to have this size and time.

    Raises
    ------
    DepositionError
        It was changed meanwhile.
    """
    return _through(path, None, size, mtime_ns)


def copy_and_digest(source: Path, target: Path, size: int, mtime_ns: int) -> Checksums:
    """Copy a file with its time and digest what was copied, in one pass.

    Raises
    ------
    DepositionError
        The source was changed meanwhile; what was copied is not whole.
    """
    with target.open("wb") as stream:
        found = _through(source, stream, size, mtime_ns)
    os.utime(target, ns=(mtime_ns, mtime_ns))
    return found


def digest_bytes(content: bytes) -> Checksums:
    """Digest bytes in memory."""
    md5 = hashlib.md5(content, usedforsecurity=False)
    return Checksums(hashlib.sha256(content).hexdigest(), md5.hexdigest())


def _through(path: Path, copy: BinaryIO | None, size: int, mtime_ns: int) -> Checksums:
    sha, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    read, buffer = 0, memoryview(bytearray(_CHUNK))
    with path.open("rb", buffering=0) as stream:
        _require_same(path, os.fstat(stream.fileno()), size, mtime_ns)
        while count := stream.readinto(buffer):
            block = buffer[:count]
            sha.update(block)
            md5.update(block)
            read += count
            if copy is not None:
                copy.write(block)
        _require_same(path, os.fstat(stream.fileno()), size, mtime_ns)
    if read != size:
        raise DepositionError(_changed(path, f"{read} bytes instead of {size}"))
    return Checksums(sha.hexdigest(), md5.hexdigest())


def _require_same(path: Path, state: os.stat_result, size: int, mtime_ns: int) -> None:
    if (state.st_size, state.st_mtime_ns) != (size, mtime_ns):
        raise DepositionError(_changed(path, f"{state.st_size} bytes, written just now"))


def _changed(path: Path, found: str) -> str:
    return (
        f"{path}: expected a file that stays as it is while it is packed; found {found}; wait "
        "until the program that writes it is done, then build again"
    )


def manifest_text(digests: Iterable[tuple[str, str]]) -> str:
    """Return a manifest of (path, digest): digest, two spaces, path; sorted by path."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests))
