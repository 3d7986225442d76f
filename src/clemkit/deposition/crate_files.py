"""Files as crates list them: path, bytes, what they belong to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clemkit.deposition.headers import matching_paths

if TYPE_CHECKING:
    from clemkit.deposition.package.plan import PackagePlan

__all__ = ["CrateFile", "described_files", "planned_files"]

_SETS = (
    ("images", "file_set"),
    ("annotation_sets", "annotation_files"),
    ("analysis_results", "result_files"),
)


@dataclass(frozen=True, slots=True)
class CrateFile:
    """One file of a crate.

    Attributes
    ----------
    path : str
        Path in the crate, with slashes.
    size : int
        Bytes.
    thing : str
        Id of the image, annotation set or result that it belongs to.
    store : str
        Path of the folder that is one image, such as an OME-Zarr; empty for plain files.
    sha256 : str
        Digest, where one is known.
    """

    path: str
    size: int
    thing: str
    store: str = ""
    sha256: str = ""


def described_files(data: Mapping[str, Any], folder: Path) -> tuple[CrateFile, ...]:
    """Return the files of all images, annotations and results below *folder*, as they lie.

    Parameters
    ----------
    data : mapping
        An experiment in long form.
    folder : Path
        Folder of the description; paths are relative to it.
    """
    found: dict[str, CrateFile] = {}
    for key, slot in _SETS:
        for thing in data.get(key) or ():
            file_set = thing.get(slot)
            if not isinstance(file_set, Mapping):
                continue
            for path in matching_paths(file_set, folder):
                for one in _files(path, folder, str(thing["id"])):
                    found.setdefault(one.path, one)
    return tuple(found[path] for path in sorted(found))


def _files(path: Path, folder: Path, thing: str) -> Iterator[CrateFile]:
    name = path.relative_to(folder).as_posix()
    if path.is_dir():
        for inner in sorted(p for p in path.rglob("*") if p.is_file()):
            inside = inner.relative_to(folder).as_posix()
            yield CrateFile(inside, inner.stat().st_size, thing, name)
    elif path.is_file():
        yield CrateFile(name, path.stat().st_size, thing)


def planned_files(plan: PackagePlan) -> tuple[CrateFile, ...]:
    """Return the files of a planned package, under the paths they have there."""
    by_folder = {folder: image for image, folder in plan.directories.items()}
    found: list[CrateFile] = []
    for file in plan.files:
        folder = next((f for f in by_folder if file.target.startswith(f"{f}/")), "")
        if not folder:
            continue
        inside = file.target.removeprefix(f"{folder}/")
        top = inside.split("/", 1)[0]
        store = f"{folder}/{top}" if "/" in inside and _is_store(top) else ""
        found.append(CrateFile(file.target, file.size, by_folder[folder], store))
    return tuple(found)


def _is_store(name: str) -> bool:
    return name.lower().endswith((".zarr", ".n5"))
