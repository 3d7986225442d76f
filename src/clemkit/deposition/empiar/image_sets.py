"""One image of the description as an image set; the files' own facts come before what is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from clemkit.deposition.empiar.codes import OTHER, pair, spelled_out
from clemkit.deposition.empiar.description import Location, missing, nanometres, note
from clemkit.deposition.empiar.formats import format_pairs, found_format, voxel_pair
from clemkit.errors import Problem
from clemkit.metadata.validate.files import ImageFacts

__all__ = ["Counts", "directories", "expected_counts", "file_counts", "image_set", "pixel_angstrom"]

_CATEGORIES: Final[Mapping[str, str]] = {
    "tilt_series": pair("T9"),
    "projections": pair("T9"),
    "reconstruction": pair("T13"),
    "segmentation": pair(OTHER, "segmentation"),
    "registered": pair(OTHER, "registered volumes"),
    "projection_map": pair(OTHER, "projections for viewing"),
}
_VOLUMES = {"aligned", "processed"}
_ONE_PICTURE = {"png", "jpeg"}  # their channels are colours of one picture


@dataclass(frozen=True, slots=True)
class Counts:
    """Files of an image set and planes in each.

    Attributes
    ----------
    files : int
        Files or stores; planes of a folder are files.
    planes : int
        Planes in one of them, over z, time and channels.
    """

    files: int
    planes: int


def directories(images: Sequence[tuple[Location, Mapping[str, Any]]]) -> list[str]:
    """Return the folder of each image in the deposition, all under ``data`` and all different."""
    wanted = [_directory(image) for _, image in images]
    often = Counter(wanted)
    nested = {d for d in often if any(o != d and o.startswith(f"{d}/") for o in often)}
    chosen: list[str] = []
    for (_, image), directory in zip(images, wanted, strict=True):
        own = f"data/{image.get('id', len(chosen))}"
        free = directory and often[directory] == 1 and directory not in nested
        name = directory if free else own
        while name in chosen or (name != directory and name in often):
            name = f"{name}-set"
        chosen.append(name)
    return chosen


def _directory(image: Mapping[str, Any]) -> str:
    """Return the described folder where it can stand in a deposition; else nothing."""
    file_set = image.get("file_set")
    text = str(file_set.get("directory") or "") if isinstance(file_set, Mapping) else ""
    path = PurePosixPath(text.replace("\\", "/"))
    parts = [p for p in path.parts if p != "."]
    if len(parts) < 2 or parts[0] != "data" or ".." in parts:
        return ""
    return "/".join(parts)


def file_counts(image: Mapping[str, Any], facts: ImageFacts | None) -> Counts | None:
    """Return how many files hold an image and how many planes each; None when it is not known."""
    sizes = dict(facts.sizes or {}) if facts is not None else {}
    colours = found_format(facts.formats[0]) if facts is not None and facts.formats else None
    if facts is not None and facts.names and sizes:
        files, z = len(facts.names), sizes.get("z", 1)
        if "-" in facts.formats[0] and facts.formats[0].endswith(("-series", "-zip")):
            files *= z  # folders of planes
    else:
        counted = _described_files(image)
        if counted is None:
            return None
        files, z = counted, int(image.get("size_z") or counted)
        sizes = {a: int(image.get(f"size_{a}") or 1) for a in "ct"}
        colours = str(image.get("file_format") or "")
    picture = colours in _ONE_PICTURE or (facts is not None and facts.is_rgb)
    further = sizes.get("t", 1) * (1 if picture else sizes.get("c", 1))
    return Counts(files, max(1, -(-z // files) * further)) if files else None


def _described_files(image: Mapping[str, Any]) -> int | None:
    file_set = image.get("file_set")
    if not isinstance(file_set, Mapping):
        return None
    if isinstance(file_set.get("file_count"), int):
        return int(file_set["file_count"])
    pattern = str(file_set.get("file_pattern") or "")
    return None if not pattern or any(c in pattern for c in "*?[") else 1


def pixel_angstrom(image: Mapping[str, Any], facts: ImageFacts | None, axis: str) -> float | None:
    """Return the pixel size along *axis* in ångström, described or else from the files."""
    size = nanometres(image.get(f"voxel_size_{axis}"))
    if size is None and facts is not None and facts.voxel_size_zyx_nm is not None:
        size = facts.voxel_size_zyx_nm["zyx".index(axis)]
    return None if size is None else float(f"{size * 10:.12g}")


def image_set(
    place: Location,
    image: Mapping[str, Any],
    directory: str,
    facts: ImageFacts | None,
    processing_kind: str = "",
) -> tuple[dict[str, Any], list[Problem]]:
    """Return one image set without its details, and what it lacks.

    Parameters
    ----------
    place : tuple
        Where the image stands in the description.
    image : mapping
        An image of the model.
    directory : str
        Its folder in the deposition.
    facts : ImageFacts or None
        What its files say; None when they were not opened.
    processing_kind : str
        Kind of the processing step that made it.
    """
    entry: dict[str, Any] = {
        "name": _name(image),
        "directory": directory,
    }
    problems = [*_formats(entry, place, image, facts), *_voxels(entry, place, image, facts)]
    counts = file_counts(image, facts)
    if counts is None:
        hint = "count the files into file_count, or build where the files are"
        problems.append(missing((*place, "file_set", "file_count"), "the number of files", hint))
    else:
        entry |= _counted(image, counts)
        entry["category"] = _category(image, counts, processing_kind)
        if counts.planes > 1 and not _divides(image, facts, counts):
            message = f"expected as many planes in each of {counts.files} files; found a remainder"
            hint = "describe files of different depth as several images"
            problems.append(note((*place, "size_z"), "empiar-uneven-files", message, hint))
    problems += _extent(entry, place, image, facts)
    return entry, problems


def _name(image: Mapping[str, Any]) -> str:
    return str(image.get("name") or image.get("id") or "")


def expected_counts(facts: ImageFacts, *, series: bool) -> tuple[int, int] | None:
    """Return number of images and frames of each that files hold; None when they do not tell.

    Parameters
    ----------
    facts : ImageFacts
        What the files say.
    series : bool
        They are tilt series: files of one plane make up one series.
    """
    counts = file_counts({}, facts) if facts.sizes else None
    return None if counts is None else _numbers(counts, series)


def _numbers(counts: Counts, series: bool) -> tuple[int, int]:
    if series and counts.planes == 1:
        return 1, counts.files  # a file for each tilt: one series
    return counts.files, counts.planes


def _counted(image: Mapping[str, Any], counts: Counts) -> dict[str, Any]:
    number, frames = _numbers(counts, image.get("image_kind") in ("tilt_series", "projections"))
    ranged = frames > 1
    return {
        "num_images_or_tilt_series": number,
        "frames_per_image": frames,
        "frame_range_min": 1 if ranged else None,
        "frame_range_max": frames if ranged else None,
    }


def _divides(image: Mapping[str, Any], facts: ImageFacts | None, counts: Counts) -> bool:
    if facts is not None and facts.depths:
        return len(facts.depths) == 1
    found = (facts.sizes or {}).get("z") if facts is not None else image.get("size_z")
    return not isinstance(found, int) or found % counts.files == 0 or counts.files > found


def _category(image: Mapping[str, Any], counts: Counts, processing_kind: str) -> str:
    kind = str(image.get("image_kind") or "raw")
    if kind in _CATEGORIES:
        return _CATEGORIES[kind]
    if kind in _VOLUMES and counts.planes > 1:
        return pair("T13")
    if processing_kind == "stitching" and counts.planes == 1:
        return pair("T11")
    return pair("T2" if counts.planes > 1 else "T1")


def _formats(
    entry: dict[str, Any], place: Location, image: Mapping[str, Any], facts: ImageFacts | None
) -> Iterator[Problem]:
    found = found_format(facts.formats[0]) if facts is not None and facts.formats else None
    described = image.get("file_format")
    name = found or (str(described) if described else "")
    pairs = format_pairs(name, facts.names if facts is not None else ())
    if pairs is None and described == "other_format" and image.get("notes"):
        text = pair(OTHER, spelled_out(str(image["notes"])))
        message = f"expected a known format; found other_format, written as {text}"
        yield note((*place, "file_format"), "empiar-format", message, "its name is in the notes")
        pairs = (text, text)
    if pairs is None:
        hint = "name the file format; for other_format say which in the notes"
        yield missing((*place, "file_format"), "file_format", hint)
        return
    entry["header_format"], entry["data_format"] = pairs


def _voxels(
    entry: dict[str, Any], place: Location, image: Mapping[str, Any], facts: ImageFacts | None
) -> Iterator[Problem]:
    found = facts.data_types[0] if facts is not None and facts.data_types else None
    data_type = found or image.get("data_type")
    if not data_type:
        yield missing((*place, "data_type"), "data_type", "such as uint8 or float32")
        return
    entry["voxel_type"] = voxel_pair(str(data_type))


def _extent(
    entry: dict[str, Any], place: Location, image: Mapping[str, Any], facts: ImageFacts | None
) -> Iterator[Problem]:
    sizes = facts.sizes or {} if facts is not None else {}
    for key, axis in (("image_width", "x"), ("image_height", "y")):
        entry[key] = sizes.get(axis, image.get(f"size_{axis}"))
        if entry[key] is None:
            hint = "pixels of one plane, as the file header has them"
            yield missing((*place, f"size_{axis}"), f"size_{axis}", hint)
    for key, axis in (("pixel_width", "x"), ("pixel_height", "y")):
        entry[key] = pixel_angstrom(image, facts, axis)
        if entry[key] is None:
            message = f"expected voxel_size_{axis}; found none, so {key} is empty"
            hint = "measure it; without it nobody can use the images"
            yield note((*place, f"voxel_size_{axis}"), "empiar-pixel-size", message, hint)
