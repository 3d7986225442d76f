"""Make a package folder after its plan: link or copy, digest, write texts; again and again.

Building twice changes nothing. A build that was stopped goes on where it was. What is in the
folder and was not put there by a build is never touched.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clemkit.deposition.package.checksums import (
    Checksums,
    copy_and_digest,
    digest_bytes,
    digest_file,
    manifest_text,
)
from clemkit.deposition.package.journal import Journal
from clemkit.deposition.package.plan import PackageFile, PackagePlan
from clemkit.errors import ArgumentError, DepositionError, NotFoundError
from clemkit.provenance import Progress, no_progress

__all__ = ["MANIFESTS", "STATE", "BuiltPackage", "Mode", "build_package", "check_target"]

Mode = Literal["link", "copy", "plan"]
STATE = ".clemkit-package"
MANIFESTS = ("manifest-sha256.txt", "manifest-md5.txt")
_PLAN = "file-plan.tsv"
_RECORD, _JOURNAL, _LOCK = "state.json", "journal.jsonl", "lock"
_TEMPORARY = ".clemkit-part"
_MOST_WORKERS = 8
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EACCES}


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPackage:
    """What a build did.

    Attributes
    ----------
    output : Path
    mode : {"link", "copy", "plan"}
    file_count, total_bytes : int
        Data files of the package.
    written, removed, changed : tuple of str
        Files of the package that were made or replaced, taken away, and those whose source has
        another content than when the package was built before.
    resumed : bool
        An earlier build had been stopped.
    """

    output: Path
    mode: Mode
    file_count: int
    total_bytes: int
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    resumed: bool = False


def check_target(output: Path, plan: PackagePlan) -> None:
    """Refuse a folder that is not a package, or that holds what no build has put there.

    Raises
    ------
    NotFoundError
        The folder that should hold it does not exist.
    ArgumentError
        It would destroy something, or an image lies in it.
    """
    if not output.parent.is_dir():
        raise NotFoundError(f"{output.parent}: expected an existing folder; make it first")
    place = output.resolve()
    for file in plan.files:
        if file.source.is_relative_to(place):
            raise ArgumentError(f"{output}: expected a folder of its own; found {file.source}")
    if not output.exists():
        return
    if not output.is_dir() or (any(output.iterdir()) and not (output / STATE).is_dir()):
        raise ArgumentError(
            f"{output}: expected a free name or an earlier package; found something else, which "
            "stays; choose another name"
        )
    texts = _read_record(output / STATE / _RECORD).get("texts")
    written = texts if isinstance(texts, list) else []
    known = {*Journal(output / STATE / _JOURNAL), *(f.target for f in plan.files), *written}
    strange = [name for name in _data_files(output) if name not in known]
    if strange:
        raise ArgumentError(
            f"{output}: expected only files that a build has put there; found {strange[0]}"
            + (f" and {len(strange) - 1} others" if len(strange) > 1 else "")
            + "; move them away, or describe them as an image"
        )


def build_package(
    plan: PackagePlan,
    output: Path,
    texts: Mapping[str, bytes],
    *,
    late: Callable[[Mapping[str, Checksums]], Mapping[str, bytes]] | None = None,
    mode: Mode = "link",
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> BuiltPackage:
    """Make the package, or bring it up to date.

    Parameters
    ----------
    plan : PackagePlan
    output : Path
        New folder, or an earlier package.
    texts : mapping of str to bytes
        Other files of the package, by their path in it.
    late : callable, optional
        Makes more of them once the digests of the data files are known, by their paths; for a
        plan, which has none, from an empty mapping.
    mode : {"link", "copy", "plan"}
        Hard links take no space and need one file system; a copy is independent; ``plan`` writes
        a table of files instead of data and manifests.
    overwrite : bool
        Take the new content of files that have changed since the package was built.
    workers : int, optional
        Threads that read and digest. Never changes a byte.
    progress : Progress

    Raises
    ------
    ArgumentError
        The folder is not a package, or another build works in it.
    DepositionError
        A source has changed since the package was built or while it is; the file system cannot
        link.
    """
    check_target(output, plan)
    hidden = output / STATE
    hidden.mkdir(parents=True, exist_ok=True)
    with _locked(hidden / _LOCK, output):
        return _build(plan, output, texts, late, mode, overwrite, workers, progress)


@contextmanager
def _locked(path: Path, output: Path) -> Iterator[None]:
    """Hold the package for this process; a killed process lets it go by itself."""
    with path.open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ArgumentError(
                f"{output}: expected no other build in this package; found one at work"
            ) from error
        yield


def _build(
    plan: PackagePlan,
    output: Path,
    texts: Mapping[str, bytes],
    late: Callable[[Mapping[str, Checksums]], Mapping[str, bytes]] | None,
    mode: Mode,
    overwrite: bool,
    workers: int | None,
    progress: Progress,
) -> BuiltPackage:
    hidden = output / STATE
    record = _read_record(hidden / _RECORD)
    resumed = record.get("complete") is False
    for left in output.rglob(f"*{_TEMPORARY}"):
        left.unlink()
    journal = Journal(hidden / _JOURNAL)
    files = plan.files if mode != "plan" else ()
    if mode == "plan" and any(journal):
        raise ArgumentError(
            f"{output}: expected a free name for a plan; found a package with data, which stays; "
            "choose another name"
        )
    todo = [f for f in files if not _is_done(output, f, journal, mode)]
    stale = [t for t in journal if t not in {f.target for f in files}]
    changed = _changed_sources(todo, journal, record, overwrite, output)
    old_texts = record.get("texts")
    known_texts = [str(name) for name in old_texts] if isinstance(old_texts, list) else []
    if todo or stale or not record:
        both = sorted({*known_texts, *texts})
        _write(hidden / _RECORD, _record_bytes(mode, complete=False, texts=both))
    _pack(todo, output, journal, mode, workers, progress)
    for target in stale:
        _take_away(output, target)
    journal.keep_only(f.target for f in files)
    _require_unchanged(files)
    if late is not None:
        found = {f.target: entry.checksums for f in files if (entry := journal.get(f.target))}
        texts = {**texts, **late(found)}
    wanted = {**texts, **_lists(plan, files, texts, journal, mode)}
    for name in set(known_texts) - set(wanted):
        _take_away(output, name)
    written = [name for name, content in wanted.items() if _write(output / name, content)]
    _write(hidden / _RECORD, _record_bytes(mode, complete=True, texts=sorted(wanted)))
    progress("package", 1.0, f"{len(plan.files)} files")
    return BuiltPackage(
        output=output,
        mode=mode,
        file_count=len(plan.files),
        total_bytes=plan.total_bytes,
        written=tuple(sorted([*(f.target for f in todo), *written])),
        removed=tuple(sorted(stale)),
        changed=tuple(sorted(changed)),
        resumed=resumed,
    )


def _lists(
    plan: PackagePlan,
    files: Sequence[PackageFile],
    texts: Mapping[str, bytes],
    journal: Journal,
    mode: Mode,
) -> dict[str, bytes]:
    """Return the manifests, or the table of a plan."""
    if mode == "plan":
        return {_PLAN: plan.table().encode()}
    digests = {name: digest_bytes(content) for name, content in texts.items()}
    for file in files:
        entry = journal.get(file.target)
        assert entry is not None  # everything has been packed
        digests[file.target] = entry.checksums
    return {
        MANIFESTS[0]: manifest_text((n, d.sha256) for n, d in digests.items()).encode(),
        MANIFESTS[1]: manifest_text((n, d.md5) for n, d in digests.items()).encode(),
    }


def _is_done(output: Path, file: PackageFile, journal: Journal, mode: Mode) -> bool:
    entry = journal.get(file.target)
    if entry is None or not entry.fits(file):
        return False
    try:
        there = (output / file.target).lstat()
        same = os.path.samestat(there, file.source.stat())
    except FileNotFoundError:
        return False
    fits = (there.st_size, there.st_mtime_ns) == (file.size, file.mtime_ns)
    return fits and same == (mode == "link")


def _changed_sources(
    todo: Sequence[PackageFile],
    journal: Journal,
    record: Mapping[str, object],
    overwrite: bool,
    output: Path,
) -> list[str]:
    """Return files that were packed before with another content; refuse where nobody asked."""
    changed = []
    for file in todo:
        entry = journal.get(file.target)
        if entry is None or entry.fits(file):
            continue
        found = digest_file(file.source, file.size, file.mtime_ns)
        if found != entry.checksums:
            changed.append(file.target)
    if changed and not overwrite:
        shown = ", ".join(changed[:5]) + (", …" if len(changed) > 5 else "")
        raise DepositionError(
            f"{output}: expected the files of the earlier build; found {len(changed)} that have "
            f"changed since: {shown}; find out why, then allow overwriting (--overwrite) to take "
            "the new ones"
        )
    return changed


def _pack(
    todo: Sequence[PackageFile],
    output: Path,
    journal: Journal,
    mode: Mode,
    workers: int | None,
    progress: Progress,
) -> None:
    total = sum(file.size for file in todo) or 1
    done = 0
    threads = min(workers or os.cpu_count() or 1, _MOST_WORKERS)
    with ThreadPoolExecutor(threads) as pool:
        work = {pool.submit(_place, file, output / file.target, mode): file for file in todo}
        try:
            for future in as_completed(work):
                file = work[future]
                journal.add(file, future.result())
                done += file.size
                progress("package", done / total, file.target)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _place(file: PackageFile, target: Path, mode: Mode) -> Checksums:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}{_TEMPORARY}")
    if mode == "copy":
        found = copy_and_digest(file.source, temporary, file.size, file.mtime_ns)
    else:
        found = digest_file(file.source, file.size, file.mtime_ns)
        if target.exists() and target.samefile(file.source):
            return found  # to rename one name of a file over another does nothing
        _link(file.source, temporary)
    os.replace(temporary, target)
    return found


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        raise DepositionError(
            f"{target.parent}: expected to make a hard link of {source}; the system refused "
            f"({os.strerror(error.errno or 0)}); both must lie in one file system that has links: "
            "put the package beside the data, or pass --copy"
        ) from error


def _require_unchanged(files: Sequence[PackageFile]) -> None:
    for file in files:
        state = file.source.stat()
        if (state.st_size, state.st_mtime_ns) != (file.size, file.mtime_ns):
            raise DepositionError(
                f"{file.source}: expected a file that stays as it is while it is packed; found it "
                "changed; wait until the program that writes it is done, then build again"
            )


def _data_files(output: Path) -> list[str]:
    found = (p for p in (output / "data").rglob("*") if not p.is_dir())
    names = (p.relative_to(output).as_posix() for p in found if p.suffix != _TEMPORARY)
    return sorted(names)


def _take_away(output: Path, name: str) -> None:
    path = output / name
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == output or not parent.is_dir() or any(parent.iterdir()):
            return
        parent.rmdir()


def _write(path: Path, content: bytes) -> bool:
    """Write a file unless it is there already; return whether it was written."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}{_TEMPORARY}")
    temporary.write_bytes(content)
    os.replace(temporary, path)
    return True


def _read_record(path: Path) -> dict[str, object]:
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}


def _record_bytes(mode: Mode, *, complete: bool, texts: Sequence[str] = ()) -> bytes:
    record = {"version": 1, "complete": complete, "mode": mode, "texts": list(texts)}
    return (json.dumps(record, indent=2) + "\n").encode()
