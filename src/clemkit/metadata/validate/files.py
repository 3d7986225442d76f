"""Layer L4: image files against their description. Files are opened elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.validate.quantities import base_value

__all__ = ["ImageFacts", "check_files", "images_of"]

_NUMBER = re.compile(r"([0-9]+)(?=[^0-9]*$)")
_FORMATS = {
    "ome_zarr": ("ome-zarr",), "tiff": ("tiff", "ome-tiff", "imagej-tiff"),
    "ome_tiff": ("ome-tiff",), "mrc": ("mrc",), "hdf5": ("hdf5", "bdv"), "bdv_hdf5": ("bdv",),
    "n5": ("n5", "bdv"), "dm3": ("dm3",), "dm4": ("dm4",), "nrrd": ("nrrd",),
    "nifti": ("nifti",), "metaimage": ("metaimage",), "png": ("png",),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What the files of one image say.

    Attributes
    ----------
    names : tuple of str
        Names of the files that fit the pattern, sorted.
    empty : tuple of str
        Those without content.
    unreadable : mapping of str to str
        Those that cannot be read, with the reason.
    formats, data_types : tuple of str
        What was found in the files, each once.
    plane_shapes : tuple of (int, int)
        Rows and columns of the files, each once.
    sizes : mapping
        Extent along ``x``, ``y``, ``z``, ``c``, ``t`` of the whole.
    voxel_size_zyx_nm : tuple of float or None
        As the files state it; None when they do not or differ, or one axis when it is not known.
    voxel_sizes : tuple
        Each that was found, the most common first; None for files that state none.
    odd : mapping of str to tuple of str
        For ``format``, ``data type``, ``size``, ``voxel size`` and ``number of channels``: files
        that are not as most are.
    depths : tuple of int
        Planes along z in one file, each number once.
    channel_counts : tuple of int
        Channels and times in one file, each number once.
    is_rgb : bool
        The channels are colours of one picture.
    """

    names: tuple[str, ...]
    empty: tuple[str, ...] = ()
    unreadable: Mapping[str, str] | None = None
    formats: tuple[str, ...] = ()
    data_types: tuple[str, ...] = ()
    plane_shapes: tuple[tuple[int, int], ...] = ()
    sizes: Mapping[str, int] | None = None
    voxel_size_zyx_nm: tuple[float | None, float | None, float | None] | None = None
    voxel_sizes: tuple[tuple[float | None, float | None, float | None] | None, ...] = ()
    odd: Mapping[str, tuple[str, ...]] | None = None
    depths: tuple[int, ...] = ()
    channel_counts: tuple[int, ...] = ()
    is_rgb: bool = False


def check_files(
    image: Mapping[str, Any], location: tuple[str | int, ...], facts: ImageFacts
) -> list[Problem]:
    """Return where the files of *image* disagree with its description."""
    file_set = image.get("file_set") or {}
    place = (*location, "file_set")
    if not facts.names:
        wanted = f"{file_set.get('directory', '.')}/{file_set.get('file_pattern', '')}"
        message = f"expected files {wanted}; found none"
        return [Problem(place, "L4-absent", "error", message, "correct folder or pattern")]
    found = [
        *_count(file_set, place, facts),
        *_gaps(image, place, facts),
        *_broken(place, facts),
        *_mixed(place, facts),
    ]
    # files that are not there or not readable are planes that were not counted
    told = ("L4-count", "L4-gap", "L4-empty", "L4-unreadable")
    without_z = any(p.rule in told for p in found)
    return [*found, *_header(image, location, facts, without_z=without_z)]


def _error(place: tuple[str | int, ...], rule: str, message: str, hint: str) -> Problem:
    return Problem(place, rule, "error", message, hint)


def _count(
    file_set: Mapping[str, Any], place: tuple[str | int, ...], facts: ImageFacts
) -> Iterator[Problem]:
    wanted = file_set.get("file_count")
    if isinstance(wanted, int) and wanted != len(facts.names):
        message = f"expected {wanted} files; found {len(facts.names)}"
        yield _error((*place, "file_count"), "L4-count", message, "find the others, or correct it")


def _gaps(
    image: Mapping[str, Any], place: tuple[str | int, ...], facts: ImageFacts
) -> Iterator[Problem]:
    found = [_NUMBER.search(name) for name in facts.names]
    stems = {_NUMBER.sub("#", name) for name in facts.names}
    if len(facts.names) < 3 or not all(found) or len(stems) != 1:
        return
    numbers = sorted(int(f[1]) for f in found if f)
    steps = [b - a for a, b in pairwise(numbers)]
    usual = max(set(steps), key=steps.count)
    known = {numbers[0] - 1 + n for n in image.get("missing_slices") or () if isinstance(n, int)}
    missing = set(range(numbers[0], numbers[-1] + 1, usual)) - set(numbers) - known
    if missing:
        listed = ", ".join(str(n) for n in sorted(missing)[:10])
        message = f"expected numbers {numbers[0]} to {numbers[-1]} without gaps; missing {listed}"
        slices = ", ".join(str(n - numbers[0] + 1) for n in sorted(missing)[:10])
        hint = f"find the files, or list missing_slices, counted from 1: [{slices}]"
        yield _error((*place, "file_pattern"), "L4-gap", message, hint)


def _broken(place: tuple[str | int, ...], facts: ImageFacts) -> Iterator[Problem]:
    for name in facts.empty:
        message = f"expected content; found {name} with 0 bytes"
        yield _error((*place, "file_pattern"), "L4-empty", message, "copy it again")
    for name, reason in (facts.unreadable or {}).items():
        message = f"expected to read {name}; found {reason}"
        yield _error((*place, "file_pattern"), "L4-unreadable", message, "copy it again")


def _mixed(place: tuple[str | int, ...], facts: ImageFacts) -> Iterator[Problem]:
    shapes = [f"{rows} x {columns} (y, x)" for rows, columns in facts.plane_shapes]
    voxels = [_voxel_text(voxel) for voxel in facts.voxel_sizes]
    for what, values in (
        ("size", shapes),
        ("data type", facts.data_types),
        ("format", facts.formats),
        ("voxel size", voxels),
        ("number of channels", [str(n) for n in facts.channel_counts]),
    ):
        if len(values) > 1:
            names = (facts.odd or {}).get(what)
            told = f"; not as most: {', '.join(names)}" if names else ""
            message = f"expected one {what} in all files; found {', '.join(values[:5])}{told}"
            hint = "describe them as several images, or export the odd ones again"
            yield _error((*place, "file_pattern"), "L4-mixed", message, hint)


def _voxel_text(voxel: tuple[float | None, float | None, float | None] | None) -> str:
    if voxel is None:
        return "none stated"
    named = zip("zyx", voxel, strict=True)
    return " ".join(f"{axis} {size:g} nm" for axis, size in named if size is not None)


def _header(
    image: Mapping[str, Any],
    location: tuple[str | int, ...],
    facts: ImageFacts,
    *,
    without_z: bool,
) -> Iterator[Problem]:
    declared = image.get("file_format")
    wanted = _FORMATS.get(str(declared))
    if wanted and facts.formats and not facts.formats[0].startswith(wanted):
        message = f"expected {declared}; found {facts.formats[0]}"
        yield _error((*location, "file_format"), "L4-format", message, "correct one of them")
    declared = image.get("data_type")
    if declared and len(facts.data_types) == 1 and facts.data_types[0] != declared:
        message = f"expected {declared}; found {facts.data_types[0]}"
        yield _error((*location, "data_type"), "L4-data-type", message, "correct the description")
    for axis, size in (facts.sizes or {}).items():
        declared = image.get(f"size_{axis}")
        if axis == "z" and (without_z or _each(declared, facts)):
            continue
        if isinstance(declared, int) and declared != size:
            message = f"expected {declared} along {axis}; found {size}"
            lost = len(image.get("missing_slices") or ()) if axis == "z" else 0
            hint = "correct the description"
            if lost and declared == size + lost:
                hint += ": size_z counts the planes that are there, without missing_slices"
            yield _error((*location, f"size_{axis}"), "L4-size", message, hint)
    for axis, found in zip("zyx", facts.voxel_size_zyx_nm or (), strict=False):
        key = f"voxel_size_{axis}"
        metres = base_value(image.get(key))
        if found is not None and metres and abs(metres * 1e9 - found) > 0.01 * found:
            message = f"expected {metres * 1e9:g} nm along {axis}; found {found:g} nm"
            hint = _slip(metres * 1e9 / found)
            yield _error((*location, key), "L4-voxel-size", message, hint)


def _each(declared: object, facts: ImageFacts) -> bool:
    """Whether a number of planes is that of each of several volumes or tilt series."""
    return facts.depths == (declared,) and declared != 1


def _slip(ratio: float) -> str:
    for factor, text in ((10.0, "nm and angstrom"), (1000.0, "nm and um"), (1e6, "nm and mm")):
        if any(abs(ratio * f - 1) < 0.02 for f in (factor, 1 / factor)):
            return f"{text} swapped? correct the description or the header"
    return "correct the description, or say voxel_size_source: measured"


def images_of(data: Any) -> Sequence[tuple[tuple[str | int, ...], Mapping[str, Any]]]:
    """Return the images that are described with files, with their places."""
    images = data.get("images") if isinstance(data, Mapping) else None
    return [
        (("images", index), image)
        for index, image in enumerate(images if isinstance(images, list) else ())
        if isinstance(image, Mapping) and isinstance(image.get("file_set"), Mapping)
    ]
