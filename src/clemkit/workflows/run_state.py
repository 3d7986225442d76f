"""What a run has done: steps with the digests of what they read and wrote, on disk at any time.

A step counts as done when its definition and the content of its inputs are what they were and its
outputs are there unchanged. Files are digested again only when their size or time has changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clemkit.errors import ArgumentError, FormatError
from clemkit.provenance import Digest

__all__ = ["FOLDER", "RunState", "recorded_time", "remove_leftovers", "write_whole"]

FOLDER = ".clemkit-run"
_STATE, _LOCK = "state.json", "lock"
_VERSION = 1
_CHUNK = 1 << 20


def recorded_time() -> str:
    """Return the time that goes into records, ISO 8601, UTC, seconds.

    The variable ``SOURCE_DATE_EPOCH`` fixes it, as reproducible builds do: then two runs over the
    same files write the same bytes.

    Raises
    ------
    ArgumentError
        It is no whole number of seconds.
    """
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    if fixed is not None and not fixed.isdecimal():
        raise ArgumentError(f"SOURCE_DATE_EPOCH: expected whole seconds; found {fixed!r}")
    now = datetime.now(UTC) if fixed is None else datetime.fromtimestamp(int(fixed), UTC)
    return now.isoformat(timespec="seconds")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, all of it or nothing; the folder is made where absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(output: Path) -> list[str]:
    """Remove what a killed run left under temporary names; return the names."""
    removed = []
    folders = [output, *(p for p in output.glob("[!.]*") if p.is_dir() and not _is_store(p))]
    for folder in folders:
        for path in folder.glob(".*"):
            if path.name.endswith((".tmp", ".old")) or ".tmp." in path.name:
                removed.append(path.relative_to(output).as_posix())
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
    return removed


def _is_store(path: Path) -> bool:
    return path.suffix in (".zarr", ".n5")


class RunState:
    """The steps that are done, and the digests of files.

    Parameters
    ----------
    output : Path
        Folder of the run.
    """

    def __init__(self, output: Path) -> None:
        self._root = output
        self._path = output / FOLDER / _STATE
        self.steps: dict[str, dict[str, Any]] = {}
        self._files: dict[str, list[Any]] = {}
        if self._path.is_file():
            try:
                content = json.loads(self._path.read_text("utf-8"))
                if content["version"] != _VERSION:
                    raise KeyError(f"version {content['version']}")
                self.steps, self._files = content["steps"], content["files"]
            except (ValueError, KeyError, TypeError) as error:
                raise FormatError(
                    self._path, f"expected the state of a run; found {error}; remove the folder "
                    f"{self._path.parent} to start again"
                ) from error  # fmt: skip

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; a killed process lets it go by itself.

        Raises
        ------
        ArgumentError
            Another process works in it.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with (self._path.parent / _LOCK).open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ArgumentError(
                    f"{self._root}: expected no other run in this folder; found one at work"
                ) from error
            yield

    def key(self, name: str, parameters: Mapping[str, Any], inputs: Iterable[Path]) -> str:
        """Return what identifies a step: its definition and the content that it reads."""
        read = [[self.name_of(p), self.digest(p).sha256] for p in inputs]
        text = json.dumps([name, parameters, read], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def is_done(self, name: str, key: str) -> bool:
        """Whether a step needs not be done again."""
        step = self.steps.get(name)
        if step is None or step["key"] != key:
            return False
        for path, sha256 in step["outputs"].items():
            target = self._root / path
            if not target.exists() or self.digest(target).sha256 != sha256:
                return False
        return True

    def finish(
        self,
        name: str,
        key: str,
        outputs: Iterable[Path],
        *,
        result: Mapping[str, Any],
        started: str,
        ended: str,
    ) -> None:
        """Record a step that is done, on disk."""
        self.steps[name] = {
            "key": key,
            "outputs": {self.name_of(p): self.digest(p).sha256 for p in outputs},
            "result": dict(result),
            "started": started,
            "ended": ended,
        }
        self.save()

    def forget(self, names: Iterable[str]) -> None:
        """Make steps undone."""
        for name in names:
            self.steps.pop(name, None)
        self.save()

    def save(self) -> None:
        """Write the state."""
        content = {"version": _VERSION, "steps": self.steps, "files": self._files}
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        write_whole(self._path, text.encode() + b"\n")

    def name_of(self, path: Path) -> str:
        """Return the path relative to the folder of the run, with slashes."""
        return Path(os.path.relpath(path, self._root)).as_posix()

    def digest(self, path: Path) -> Digest:
        """Digest a file or folder as :func:`clemkit.provenance.digest_path` does."""
        name = self.name_of(path)
        if not path.is_dir():
            return Digest(name, *self._file(path))
        outer, total = hashlib.sha256(), 0
        for each in sorted(p for p in path.rglob("*") if p.is_file()):
            sha256, size = self._file(each)
            outer.update(f"{each.relative_to(path).as_posix()}\0{sha256}\n".encode())
            total += size
        return Digest(name, outer.hexdigest(), total)

    def _file(self, path: Path) -> tuple[str, int]:
        state = path.stat()
        signature = [state.st_size, state.st_mtime_ns, state.st_ino]
        known = self._files.get(self.name_of(path))
        if known is not None and known[:3] == signature:
            return str(known[3]), state.st_size
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while block := stream.read(_CHUNK):
                digest.update(block)
        self._files[self.name_of(path)] = [*signature, digest.hexdigest()]
        return digest.hexdigest(), state.st_size
