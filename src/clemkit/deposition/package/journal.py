"""What has been packed already, so that an interrupted build goes on where it stopped."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clemkit.deposition.package.checksums import Checksums
from clemkit.deposition.package.plan import PackageFile

__all__ = ["Journal", "JournalEntry"]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One packed file: what it was made from, and its digests."""

    source: str
    size: int
    mtime_ns: int
    checksums: Checksums

    def fits(self, file: PackageFile) -> bool:
        """Whether the source is as it was, by name, size and time."""
        return (self.source, self.size, self.mtime_ns) == (
            str(file.source),
            file.size,
            file.mtime_ns,
        )


class Journal:
    """A file with one line for each packed file; lines are added as the work goes on.

    Parameters
    ----------
    path : Path
        The journal; a line that a killed program left half written is ignored.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._entries: dict[str, JournalEntry] = {}
        text = path.read_bytes() if path.is_file() else b""
        self._torn = text != b"" and not text.endswith(b"\n")
        for line in text.splitlines():
            try:
                target, source, size, mtime_ns, sha256, md5 = json.loads(line)
            except ValueError:
                continue
            self._entries[target] = JournalEntry(source, size, mtime_ns, Checksums(sha256, md5))

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._entries))

    def get(self, target: str) -> JournalEntry | None:
        """Return what is known about a file of the package."""
        return self._entries.get(target)

    def add(self, file: PackageFile, checksums: Checksums) -> None:
        """Remember a packed file, on disk too."""
        entry = JournalEntry(str(file.source), file.size, file.mtime_ns, checksums)
        with self._lock:
            self._entries[file.target] = entry
            with self._path.open("ab") as stream:
                stream.write((b"\n" if self._torn else b"") + _line(file.target, entry))
            self._torn = False

    def keep_only(self, targets: Iterable[str]) -> None:
        """Write the journal anew, sorted, without what is not in *targets*."""
        kept = {t: self._entries[t] for t in sorted(targets) if t in self._entries}
        self._entries = kept
        text = b"".join(_line(target, entry) for target, entry in kept.items())
        if not self._path.is_file() or self._path.read_bytes() != text:
            temporary = self._path.with_name(f"{self._path.name}.new")
            temporary.write_bytes(text)
            os.replace(temporary, self._path)


def _line(target: str, entry: JournalEntry) -> bytes:
    values = (
        target, entry.source, entry.size, entry.mtime_ns,
        entry.checksums.sha256, entry.checksums.md5,
    )  # fmt: skip
    return json.dumps(values, ensure_ascii=False).encode() + b"\n"
