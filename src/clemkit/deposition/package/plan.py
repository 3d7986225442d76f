"""Which file goes where in a package. Pure: looks at names and sizes, writes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from clemkit.deposition.companions import companions
from clemkit.deposition.headers import matching_paths
from clemkit.errors import Problem

__all__ = ["PackageFile", "PackagePlan", "image_directory", "plan_package"]

_LITTER = ("desktop.ini", "Thumbs.db", ".DS_Store", ".directory")
_LITTER_STARTS = ("._", ".nfs", ".Trash")
_SETS = (
    ("images", "file_set"),
    ("annotation_sets", "annotation_files"),
    ("analysis_results", "result_files"),
)
_FORBIDDEN = '<>:"|?*\\'  # cannot be a name on every system that will hold the data


@dataclass(frozen=True, slots=True, order=True)
class PackageFile:
    """One file of a package.

    Attributes
    ----------
    target : str
        Path in the package, with slashes.
    source : Path
        The file itself; links are resolved.
    size, mtime_ns : int
        As they were when the package was planned.
    """

    target: str
    source: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagePlan:
    """Files of a package, sorted by target, and what is wrong with them.

    Attributes
    ----------
    files : tuple of PackageFile
    directories : mapping of str to str
        Id of an image, annotation set or result to its folder in the package.
    problems : tuple of Problem
    left_out : tuple of str
        What systems leave behind, such as ``.DS_Store``; never packed.
    """

    files: tuple[PackageFile, ...]
    directories: Mapping[str, str]
    problems: tuple[Problem, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def total_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def of(self, directory: str) -> tuple[PackageFile, ...]:
        """Return the files below one folder of the package."""
        return tuple(f for f in self.files if f.target.startswith(f"{directory}/"))

    def table(self) -> str:
        """Return the plan as tab-separated text: target, bytes, source."""
        rows = (f"{f.target}\t{f.size}\t{f.source}" for f in self.files)
        return "\n".join(("target\tbytes\tsource", *rows)) + "\n"


def image_directory(image_id: str) -> str:
    """Return the folder of an image in a package."""
    return f"data/{image_id}"


def plan_package(
    data: Mapping[str, Any],
    folder: Path,
    *,
    directories: Mapping[str, str] | None = None,
    attached: Mapping[str, Path] | None = None,
) -> PackagePlan:
    """Plan where the files of all described images, annotations and results go.

    Folders such as OME-Zarr and N5 are trees: everything in them is packed, hidden files too,
    except what systems leave behind. Links are followed. Files that a header needs beside it
    (the container of a BigDataViewer XML, detached voxels of MetaImage and NRRD) come along.

    Parameters
    ----------
    data : mapping
        The description, in long form.
    folder : Path
        Its folder; paths in it are relative to that.
    directories : mapping of str to str, optional
        Image id to folder in the package; images that are not in it are not packed. All images
        go to ``data/ID`` where absent.
    attached : mapping of str to Path, optional
        Further files or folders, by their path in the package.
    """
    files: dict[str, PackageFile] = {}
    places: dict[str, str] = {}
    problems: list[Problem] = []
    left_out: list[str] = []
    wanted: list[tuple[tuple[str | int, ...], Path, str]] = []
    for place, name, file_set in _file_sets(data):
        is_image = place[0] == "images"
        if is_image and directories is not None and name not in directories:
            continue
        target = (directories or {}).get(name, image_directory(name)).strip("/")
        root = folder / str(file_set.get("directory") or ".")
        paths = _with_companions(matching_paths(file_set, folder))
        if not paths and not is_image:  # images have a layer of checks of their own
            shown = f"{file_set.get('directory', '.')}/{file_set.get('file_pattern', '*')}"
            message = f"expected files {shown}; found none"
            hint = "correct folder or pattern"
            problems.append(Problem(place, "PK-absent", "error", message, hint))
        places[name] = target
        wanted += [(place, path, f"{target}/{_relative(path, root)}") for path in paths]
    wanted += [(("package", target), path, target) for target, path in (attached or {}).items()]
    for place, path, name in wanted:
        for inside, found in _tree(path, name):
            if _is_litter(inside):
                left_out.append(str(found))
                continue
            file, problem = _file(found, inside, place)
            problems += [problem] if problem else []
            other = files.setdefault(file.target, file) if file else None
            if file and other and other.source != file.source:
                message = (
                    f"expected one file for {file.target}; found {other.source} and {file.source}"
                )
                problems.append(Problem(place, "PK-clash", "error", message, "rename one"))
    ordered = tuple(sorted(files.values()))
    problems += _names(ordered)
    return PackagePlan(
        files=ordered,
        directories=places,
        problems=tuple(problems),
        left_out=tuple(sorted(left_out)),
    )


def _file_sets(
    data: Mapping[str, Any],
) -> Iterator[tuple[tuple[str | int, ...], str, Mapping[str, Any]]]:
    """Yield place, id and file set of everything that has files."""
    for key, slot in _SETS:
        things = data.get(key)
        for index, thing in enumerate(things if isinstance(things, list) else ()):
            file_set = thing.get(slot) if isinstance(thing, Mapping) else None
            if isinstance(file_set, Mapping):
                yield (key, index, slot), str(thing.get("id")), file_set


def _with_companions(paths: Sequence[Path]) -> list[Path]:
    every = dict.fromkeys(paths)
    for path in paths:
        every |= dict.fromkeys(companions(path))
    return list(every)


def _relative(path: Path, root: Path) -> str:
    """Return the path below *root*; a companion from elsewhere lies at the top."""
    if path.is_relative_to(root):
        inside = path.relative_to(root).as_posix()
        return inside if ".." not in PurePosixPath(inside).parts else path.name
    return path.name


def _tree(path: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Yield a file, or every file below a folder, with its name in the package."""
    if not path.is_dir():
        yield name, path
        return
    seen: set[str] = set()
    for top, folders, names in os.walk(path, followlinks=True):
        real = os.path.realpath(top)
        if real in seen:  # a link to a folder above would never end
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        inside = PurePosixPath(name) / Path(top).relative_to(path).as_posix()
        for each in sorted(names):
            yield (inside / each).as_posix(), Path(top) / each


def _is_litter(name: str) -> bool:
    last = PurePosixPath(name).name
    return last in _LITTER or last.startswith(_LITTER_STARTS)


def _file(
    path: Path, target: str, place: tuple[str | int, ...]
) -> tuple[PackageFile | None, Problem | None]:
    try:
        source = path.resolve(strict=True)
        state = source.stat()
    except (OSError, RuntimeError) as error:
        message = f"expected a file at {path}; found a link that leads nowhere ({error})"
        return None, Problem(place, "PK-link", "error", message, "mend the link, or remove it")
    if not source.is_file():
        message = f"expected a plain file at {path}; found something else"
        return None, Problem(place, "PK-kind", "error", message, "move it elsewhere")
    return PackageFile(target, source, state.st_size, state.st_mtime_ns), None


def _names(files: Sequence[PackageFile]) -> Iterator[Problem]:
    """Warn about names that break on other systems."""
    folded: dict[str, str] = {}
    for file in files:
        place = ("package", file.target)
        if any(c in _FORBIDDEN or ord(c) < 32 for c in file.target) or not file.target.isascii():
            message = f"expected plain letters, digits, . - _; found {file.target!r}"
            yield Problem(place, "PK-name", "warning", message, "rename it before deposition")
        other = folded.setdefault(file.target.casefold(), file.target)
        if other != file.target:
            message = f"expected names that differ by more than case; found {other}, {file.target}"
            yield Problem(place, "PK-case", "warning", message, "rename one")
