"""Provenance records: what was done, to which data, by what, when. Standard library only."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["Digest", "Environment", "Step", "digest_path"]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Digest:
    """Content digest of a file or folder.

    Attributes
    ----------
    path : str
        Path as the user gave it.
    sha256 : str
        Hex digest of the content; for a folder, of the sorted list of relative names and the
        digests of their files.
    size : int
        Total bytes.
    """

    path: str
    sha256: str
    size: int


def digest_path(path: str | Path) -> Digest:
    """Digest a file, or every file below a folder in a stable order."""
    root = Path(path)
    if root.is_dir():
        outer = hashlib.sha256()
        total = 0
        for name in sorted(p for p in root.rglob("*") if p.is_file()):
            inner, size = _file_sha256(name)
            outer.update(f"{name.relative_to(root).as_posix()}\0{inner}\n".encode())
            total += size
        return Digest(str(path), outer.hexdigest(), total)
    sha, size = _file_sha256(root)
    return Digest(str(path), sha, size)


def _file_sha256(path: Path) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


@dataclass(frozen=True, slots=True)
class Environment:
    """Software that did the work.

    Attributes
    ----------
    python, platform : str
        Interpreter version; operating system and machine.
    packages : dict of str to str
        Versions of the packages that can change a number.
    cpu_count : int
        Logical processors seen.
    """

    python: str
    platform: str
    packages: Mapping[str, str]
    cpu_count: int

    @classmethod
    def current(cls) -> Environment:
        """Describe the running interpreter."""
        names = (
            "clemkit", "numpy", "scipy", "numba", "zarr", "tifffile", "SimpleITK", "itk-elastix",
        )  # fmt: skip
        packages = {}
        for name in names:
            try:
                packages[name] = version(name)
            except PackageNotFoundError:
                continue
        return cls(
            python=platform.python_version(),
            platform=f"{platform.system()} {platform.machine()}",
            packages=packages,
            cpu_count=os.cpu_count() or 1,
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One processing step, as linked-data tools will need it.

    Attributes
    ----------
    activity : str
        What was done: ``"registration"``, ``"warping"``, ``"conversion"``, …
    inputs, outputs : tuple of Digest
        Data read and written.
    parameters : mapping
        Every parameter that can change the result, with its unit in its name.
    seed : int or None
        Seed of random choices.
    started, ended : str
        ISO 8601, UTC.
    command : tuple of str
        Command line, empty when called from Python.
    environment : Environment
        Software versions.
    """

    activity: str
    inputs: tuple[Digest, ...] = ()
    outputs: tuple[Digest, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    started: str = field(default_factory=_now)
    ended: str = field(default_factory=_now)
    command: tuple[str, ...] = field(default_factory=lambda: tuple(sys.argv))
    environment: Environment = field(default_factory=Environment.current)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-ready data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Step:
        """Rebuild a step from :meth:`to_dict`."""
        values = dict(data)
        values["inputs"] = tuple(Digest(**d) for d in values.get("inputs", ()))
        values["outputs"] = tuple(Digest(**d) for d in values.get("outputs", ()))
        values["command"] = tuple(values.get("command", ()))
        values["environment"] = Environment(**values["environment"])
        return cls(**values)

    def write(self, path: str | Path) -> None:
        """Write the record as JSON, atomically."""
        target = Path(path)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n")
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
