"""What the headers of image files say, for thousands of files at once; no voxel is read."""

from __future__ import annotations

import operator
import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clemkit.deposition.companions import companions
from clemkit.errors import ClemkitError
from clemkit.metadata.validate.files import ImageFacts
from clemkit.provenance import Progress, no_progress
from clemkit.volumes import VolumeInfo, probe

__all__ = ["file_facts", "matching_paths"]

_MOST_WORKERS = 8  # threads: they hide the latency of a network disk, not the work of the parser
_BATCH = 64
_NAMED = 5  # files that a finding names
_JITTER = 0.005  # of a voxel size that an instrument writes for each slice


@dataclass(frozen=True, slots=True)
class _Header:
    """What is kept of one header; 10,000 of them are a few megabytes."""

    name: str
    empty: bool = False
    unreadable: str = ""
    format: str = ""
    dtype: str = ""
    sizes: tuple[int, ...] = ()
    voxel: tuple[float | None, float, float] | None = None
    is_rgb: bool = False


@dataclass(slots=True)
class _Tally:
    """Each value of one property with how often it occurs and in which files first."""

    same: Callable[[Any, Any], bool] = operator.eq
    counts: Counter[Hashable] = field(default_factory=Counter)
    names: dict[Hashable, list[str]] = field(default_factory=dict)

    def add(self, value: Hashable, name: str) -> None:
        self.counts[value] += 1
        named = self.names.setdefault(value, [])
        if len(named) < _NAMED:
            named.append(name)

    def values(self) -> tuple[Any, ...]:
        """Return the values that differ, the most common first."""
        if self.same is operator.eq:
            return tuple(value for value, _ in self.counts.most_common())
        kept: list[Any] = []
        for value, _ in self.counts.most_common():
            if not any(self.same(value, other) for other in kept):
                kept.append(value)
        return tuple(kept)

    def odd(self) -> tuple[str, ...]:
        """Return files that are not as most are."""
        most = self.values()[0]
        rare = (value for value in self.counts if not self.same(value, most))
        return tuple(sorted(name for value in rare for name in self.names[value]))[:_NAMED]


def matching_paths(file_set: Mapping[str, Any], folder: Path) -> list[Path]:
    """Return the files and stores of a file set, sorted; hidden ones only where asked for.

    Parameters
    ----------
    file_set : mapping
        ``directory`` and ``file_pattern`` of the model.
    folder : Path
        Folder of the description.
    """
    pattern = str(file_set.get("file_pattern") or "*")
    root = folder / str(file_set.get("directory") or ".")
    if not root.is_dir():
        return []
    hidden = pattern.rsplit("/", 1)[-1].startswith(".")
    return sorted(p for p in root.glob(pattern) if hidden or not p.name.startswith("."))


def file_facts(
    file_set: Mapping[str, Any],
    folder: Path,
    *,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> ImageFacts:
    """Return what the files of one image say; reads headers, no voxels.

    Parameters
    ----------
    file_set : mapping
        ``directory``, ``file_pattern``, ``dataset_path`` of the model.
    folder : Path
        Folder of the description.
    workers : int, optional
        Threads; None takes some. Never changes the result.
    progress : Progress
        Told how far it is.

    Returns
    -------
    ImageFacts
    """
    paths = matching_paths(file_set, folder)
    dataset = file_set.get("dataset_path")
    dtypes, formats, shapes, voxels = _Tally(), _Tally(), _Tally(), _Tally(_same_size)
    depths, channels = _Tally(), _Tally()
    empty: list[str] = []
    unreadable: dict[str, str] = {}
    depth, is_rgb = 0, False
    extents: tuple[int, ...] = ()
    # voxels beside a header file are told by that
    behind = {other for path in paths for other in companions(path)}
    heads = [path for path in paths if path not in behind]
    for number, header in enumerate(_headers(heads, dataset, workers)):
        if number % 500 == 0:
            progress("headers", number / len(heads), header.name)
        if header.empty:
            empty.append(header.name)
            continue
        if header.unreadable:
            unreadable[header.name] = header.unreadable
            continue
        extents = header.sizes
        z, y, x = extents[:3]
        depth += z
        is_rgb = is_rgb or header.is_rgb
        dtypes.add(header.dtype, header.name)
        formats.add(header.format, header.name)
        shapes.add((y, x), header.name)
        depths.add(z, header.name)
        channels.add(extents[3] * extents[4], header.name)
        voxels.add(header.voxel, header.name)
    sizes = None
    if len(shapes.counts) == 1:
        sizes = dict(zip("zyxct", (depth, *extents[1:]), strict=True))
    tallies = {
        "format": formats,
        "data type": dtypes,
        "size": shapes,
        "voxel size": voxels,
        "number of channels": channels,
    }
    stated = voxels.values()
    return ImageFacts(
        names=tuple(p.name for p in paths),
        empty=tuple(empty),
        unreadable=unreadable,
        formats=formats.values(),
        data_types=dtypes.values(),
        plane_shapes=shapes.values(),
        sizes=sizes,
        voxel_size_zyx_nm=stated[0] if len(stated) == 1 else None,
        voxel_sizes=stated,
        odd={what: tally.odd() for what, tally in tallies.items() if len(tally.values()) > 1},
        depths=depths.values(),
        channel_counts=channels.values(),
        is_rgb=is_rgb,
    )


def _same_size(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    pairs = list(zip(one, other, strict=True))
    if any((a is None) != (b is None) for a, b in pairs):
        return False
    return all(a is None or abs(a - b) <= _JITTER * abs(b) for a, b in pairs)


def _headers(paths: Sequence[Path], dataset: str | None, workers: int | None) -> Iterator[_Header]:
    """Yield headers in the order of *paths*."""
    threads = min(workers or 2 * (os.cpu_count() or 1), _MOST_WORKERS)
    if threads < 2 or len(paths) < 2 * _BATCH:
        yield from _batch(paths, dataset)
        return
    batches = [paths[i : i + _BATCH] for i in range(0, len(paths), _BATCH)]
    with _quiet(), ThreadPoolExecutor(threads) as pool:
        for found in pool.map(lambda batch: _batch(batch, dataset), batches):
            yield from found


def _quiet() -> Any:
    """Hold tifffile's log for all threads: each would restore what another one set."""
    from clemkit.volumes.readers.tiff_source import quiet_tifffile

    return quiet_tifffile()


def _batch(paths: Sequence[Path], dataset: str | None) -> list[_Header]:
    return [_header(path, dataset) for path in paths]


def _header(path: Path, dataset: str | None) -> _Header:
    try:
        if path.is_file() and path.stat().st_size == 0:
            return _Header(path.name, empty=True)
        info = probe(path, dataset=dataset)
    except (ClemkitError, OSError) as error:
        return _Header(path.name, unreadable=" ".join(str(error).split()))
    sizes = tuple(info.extent(axis) for axis in "zyxct")
    return _Header(
        path.name,
        format=info.format,
        dtype=info.dtype,
        sizes=sizes,
        voxel=_stated(info),
        is_rgb=info.is_rgb,
    )


def _stated(info: VolumeInfo) -> tuple[float | None, float, float] | None:
    """Return the voxel size; a plane cannot know the distance to the next one."""
    if info.voxel_size_zyx_nm is None:
        return None
    z, y, x = info.voxel_size_zyx_nm
    return (z if info.extent("z") > 1 else None, y, x)
