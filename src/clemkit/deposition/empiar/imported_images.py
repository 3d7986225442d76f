"""Image sets of a deposition document as images of the description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from clemkit.deposition.empiar.codes import label_of, parse_pair
from clemkit.deposition.empiar.description import mappings
from clemkit.deposition.empiar.formats import format_of_pair, voxel_types_of_pair

__all__ = ["acquisitions_of", "images_of"]

_EMDB = 3
_KINDS: Final = {
    "T1": "raw",
    "T2": "raw",
    "T9": "tilt_series",
    "T13": "reconstruction",
}
_OTHER_KINDS: Final = {
    "segmentation": "segmentation",
    "registered volumes": "registered",
    "projections for viewing": "projection_map",
}
# the class and method that stand for a type of experiment; not those that join methods
_METHODS: Final = {
    1: ("XrayAcquisition", "soft_xray_tomography"),
    3: ("TransmissionElectronAcquisition", "tem"),
    4: ("SbfSemAcquisition", "sbf_sem"),
    5: ("FibSemAcquisition", "fib_sem"),
    11: ("AtumSemAcquisition", "atum_sem"),
    12: ("XrayAcquisition", "xray_tomography"),
    13: ("ElectronTomographyAcquisition", "ss_et"),
}


def acquisitions_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the acquisition that the type of experiment tells of; none for joined methods."""
    kind = document.get("experiment_type")
    if isinstance(kind, bool) or not isinstance(kind, int) or kind not in _METHODS:
        return []
    class_name, method = _METHODS[kind]
    return [{"id": "acquisition", "type": class_name, "imaging_method": method}]


def images_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return an image for each image set."""
    sets = document.get("imagesets")
    if not isinstance(sets, list) or len(mappings(sets)) != len(sets):
        return []
    taken: set[str] = set()
    return [_image(entry, document, taken) for entry in sets]


def _image(
    entry: Mapping[str, Any], document: Mapping[str, Any], taken: set[str]
) -> dict[str, Any]:
    image: dict[str, Any] = {"id": _name_of(entry, taken)}
    for slot, key in (("name", "name"), ("description", "details")):
        if isinstance(entry.get(key), str) and entry[key].strip():
            image[slot] = entry[key]
    parsed = parse_pair(entry.get("category"))
    if parsed is not None:
        kind = _KINDS.get(parsed[0]) or _OTHER_KINDS.get(parsed[1])
        if kind:
            image["image_kind"] = kind
    file_set: dict[str, Any] = {}
    if isinstance(entry.get("directory"), str):
        file_set["directory"] = entry["directory"].strip("/") or "data"
    _count(image, file_set, entry, document)
    image["file_set"] = file_set
    _pixels(image, entry)
    return image


def _name_of(entry: Mapping[str, Any], taken: set[str]) -> str:
    folder = str(entry.get("directory") or "").strip("/").rpartition("/")[2]
    stem = re.sub(r"[^A-Za-z0-9]+", "-", folder).strip("-").lower()
    name = stem if stem and stem not in ("data", "acquisition", "study") else "set"
    chosen, number = name, 1
    while chosen in taken:
        number += 1
        chosen = f"{name}-{number}"
    taken.add(chosen)
    return chosen


def _count(
    image: dict[str, Any],
    file_set: dict[str, Any],
    entry: Mapping[str, Any],
    document: Mapping[str, Any],
) -> None:
    files = _positive(entry.get("num_images_or_tilt_series"))
    frames = _positive(entry.get("frames_per_image"))
    if files is None:
        return
    file_set["file_count"] = files
    if frames is None:
        return
    # tilts and the frames of a movie are not planes of a volume
    series = image.get("image_kind") == "tilt_series" or document.get("experiment_type") == _EMDB
    if series and frames > 1:
        image["size_t"] = frames
    elif not series:
        image["size_z"] = files * frames


def _positive(number: Any) -> int | None:
    whole = isinstance(number, int) and not isinstance(number, bool)
    return int(number) if whole and number > 0 else None


def _pixels(image: dict[str, Any], entry: Mapping[str, Any]) -> None:
    known = format_of_pair(entry.get("header_format"), entry.get("data_format"))
    if known:
        image["file_format"] = known
    elif label := label_of("data_format", entry.get("data_format")):
        image["file_format"] = "other_format"
        image["notes"] = label
    types = voxel_types_of_pair(entry.get("voxel_type"))
    if types:
        image["data_type"] = types[0]
    for slot, key in (("size_x", "image_width"), ("size_y", "image_height")):
        if (pixels := _positive(entry.get(key))) is not None:
            image[slot] = pixels
    for slot, key in (("voxel_size_x", "pixel_width"), ("voxel_size_y", "pixel_height")):
        size = entry.get(key)
        if isinstance(size, int | float) and not isinstance(size, bool) and size > 0:
            image[slot] = {"value": float(size), "unit": "angstrom"}
