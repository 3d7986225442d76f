"""The description with everything that a run added: images, steps, transforms, errors."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clemkit import __version__
from clemkit.provenance import Step
from clemkit.workflows.run_plan import warped_name

if TYPE_CHECKING:
    from clemkit.workflows.run_steps import Work

__all__ = ["completed_description"]

_PATHS = {
    "directory", "checksum_manifest", "landmark_file", "transform_file", "source_file", "file_list",
    "preview_image",
}  # fmt: skip
_SOFTWARE = f"clemkit-{__version__}"
_ERROR_KINDS = {"held-out": "held_out", "leave-one-out": "leave_one_out"}


def completed_description(work: Work) -> dict[str, Any]:
    """Return the description in long form with what the steps before have found.

    Its paths are relative to the folder of the run. What people wrote stays, except the results
    of correlations that were computed again.
    """
    data: dict[str, Any] = copy.deepcopy(dict(work.data))
    _rebase(data, work.description.parent, work.output)
    software = data.setdefault("software_versions", [])
    if _SOFTWARE not in {s["id"] for s in software}:
        software.append({"id": _SOFTWARE, "name": "clemkit", "software_version": __version__})
    for name in work.steps:
        kind, _, subject = name.partition(":")
        if kind == "protocol":
            _add_protocol(data, subject, work.output / "protocols" / f"{subject}.json")
    for correlation in data.get("correlations", ()):
        _complete(data, correlation, work)
    processing = data.setdefault("processing_steps", [])
    for name, path in work.records.items():
        if name.split(":")[0] in ("convert", "segment", "register", "warp", "evaluate"):
            made = _processing(data, name, path)
            processing[:] = [p for p in processing if p["id"] != made["id"]] + [made]
    return {key: value for key, value in data.items() if value != []}


def _rebase(value: Any, before: Path, after: Path) -> None:
    """Make paths that are relative to *before* relative to *after*."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _PATHS and isinstance(item, str) and not os.path.isabs(item):
                value[key] = Path(os.path.relpath(before / item, after)).as_posix()
            else:
                _rebase(item, before, after)
        if "file_pattern" in value and "directory" not in value:
            value["directory"] = Path(os.path.relpath(before, after)).as_posix()
    elif isinstance(value, list):
        for item in value:
            _rebase(item, before, after)


def _add_protocol(data: dict[str, Any], name: str, path: Path) -> None:
    """Put what was read from a protocol's source under the id that the description gave it."""
    read = json.loads(path.read_text("utf-8"))["data"]
    taken = {str(t.get("id")) for t in _things(data)}
    found = copy.deepcopy(dict(read["protocols"][0]))
    renamed = {str(found.get("id")): name}
    added = [(k, t) for k, v in read.items() if isinstance(v, list) for t in v if k != "protocols"]
    for _, thing in added:
        old = str(thing["id"])
        renamed[old] = old if old not in taken else f"{name}-{old}"
    for key, thing in added:
        data.setdefault(key, []).append({**_renamed(thing, renamed), "id": renamed[thing["id"]]})
    declared = next(p for p in data["protocols"] if p["id"] == name)
    declared.update({**_renamed(found, renamed), **declared})


def _things(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for value in data.values():
        if isinstance(value, list):
            yield from (item for item in value if isinstance(item, Mapping))


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Follow changed ids in references."""
    from clemkit.metadata.model_map import model_map

    slots = model_map()["slots"]
    if not isinstance(value, Mapping):
        return value
    result: dict[str, Any] = {}
    for key, item in value.items():
        slot = slots.get(key, {})
        refers = slot.get("kind") == "class" and not slot.get("inlined")
        if refers and isinstance(item, list):
            result[key] = [names.get(i, i) for i in item]
        elif refers:
            result[key] = names.get(item, item)
        elif isinstance(item, list):
            result[key] = [_renamed(i, names) for i in item]
        else:
            result[key] = _renamed(item, names)
    return result


def _complete(data: dict[str, Any], correlation: dict[str, Any], work: Work) -> None:
    name = str(correlation["id"])
    if f"register:{name}" not in work.steps:
        return
    fixed, moving = correlation["fixed_image"], correlation["moving_image"]
    images = {i["id"]: i for i in data["images"]}
    found = work.steps[f"register:{name}"]["result"]
    correlation |= _transform(name, found) | {"software": [_SOFTWARE]}
    correlation["computed_by"] = f"run-register-{name}"
    correlation["correlation_errors"] = list(_errors(name, found, work))
    if f"segment:{name}" in work.steps:
        image = {
            "id": f"{name}-labels",
            "name": f"Structures of {images[fixed].get('name', fixed)}",
            "image_kind": "segmentation",
            "modality": images[fixed].get("modality"),
            "derived_from_images": [fixed],
            "generated_by_processing": f"run-segment-{name}",
        }
        _add_image(data, image, work.output / "segmented" / f"{name}.ome.zarr", work, fixed)
    warped = warped_name(data, correlation)
    image = {
        "id": warped,
        "name": f"{images[moving].get('name', moving)} on {images[fixed].get('name', fixed)}",
        "image_kind": "registered",
        "modality": images[moving].get("modality"),
        "derived_from_images": [moving, fixed],
        "generated_by_processing": f"run-warp-{name}",
        "channels": images[moving].get("channels"),
        "contrast_polarity": images[moving].get("contrast_polarity"),
    }
    _add_image(data, image, work.output / "registered" / f"{warped}.ome.zarr", work, fixed)


def _transform(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    file = f"registration/{name}/transforms/fixed_to_moving.h5"
    changes = {
        "transforms": [
            {
                "transform_kind": found["transform_kind"],
                "transform_direction": "fixed_to_moving",
                "transform_file": file,
                "transform_format": "ITK HDF5, micrometres, x y z",
                "notes": "Other formats and the inverse lie beside it.",
            }
        ],
        "contains_reflection": bool(found["reflection"]),
        "correlation_status": found["status"],
        "method_summary": f"clemkit register, {found['method']}, without initialisation.",
    }
    if found["inverse_error_nm"] is not None:
        changes["inverse_error"] = _nm(found["inverse_error_nm"])
    if found["jacobian"]["min"] is not None:
        changes["volume_change_minimum"] = float(found["jacobian"]["min"])
        changes["volume_change_maximum"] = float(found["jacobian"]["max"])
    return changes


def _errors(name: str, found: Mapping[str, Any], work: Work) -> Iterator[dict[str, Any]]:
    estimate = found["tre_estimate_nm"]
    if estimate["median"] is not None:
        error = {
            "error_kind": _ERROR_KINDS.get(estimate["kind"], "held_out"),
            "error_median": _nm(estimate["median"]),
            "error_percentile_90": _nm(estimate["p90"]),
            "error_interval_low": _nm(estimate["low"]),
            "error_interval_high": _nm(estimate["high"]),
            "error_count": int(estimate["count"]),
            "notes": f"Estimated by the registration, in the {estimate['space']} image.",
        }
        yield {k: v for k, v in error.items() if v is not None}
    if f"evaluate:{name}" in work.steps:
        measured = work.steps[f"evaluate:{name}"]["result"]
        low, high = measured["interval_nm"]
        error = {
            "error_kind": "held_out",
            "error_median": _nm(measured["median_nm"]),
            "error_mean": _nm(measured["mean_nm"]),
            "error_percentile_90": _nm(measured["p90_nm"]),
            "error_interval_low": _nm(low),
            "error_interval_high": _nm(high),
            "error_count": int(measured["n"]),
            "notes": "At landmarks that the registration never read, in the moving image.",
        }
        yield {k: v for k, v in error.items() if v is not None}


def _nm(value: float | None) -> dict[str, Any] | None:
    return None if value is None else {"value": float(f"{value:.4g}"), "unit": "nm"}


def _add_image(
    data: dict[str, Any], image: dict[str, Any], path: Path, work: Work, beside: str
) -> None:
    """Describe a volume that the run made, and put it into the parts of the study of *beside*."""
    from clemkit.volumes import probe

    info = probe(path)
    source = next(i for i in data["images"] if i["id"] == beside)
    image |= {
        "image_of": source.get("image_of"),
        "file_set": {
            "directory": path.parent.relative_to(work.output).as_posix(),
            "file_pattern": path.name,
            "file_count": 1,
        },
        "file_format": "ome_zarr",
        "compression": "lossless",
        "data_type": info.dtype,
        "axes": info.axes,
        "pyramid_levels": max(len(info.levels), 1),
    }
    for axis in info.axes:
        image[f"size_{axis}"] = info.extent(axis)
    for axis, size in zip("zyx", info.voxel_size_zyx_nm or (), strict=False):
        image[f"voxel_size_{axis}"] = {"value": float(f"{size:.12g}"), "unit": "nm"}
    kept = {key: value for key, value in image.items() if value is not None}
    data["images"] = [i for i in data["images"] if i["id"] != image["id"]] + [kept]
    for part in data.get("study_components", ()):
        shown = part.get("component_images", [])
        if beside in shown and image["id"] not in shown:
            part["component_images"] = [*shown, image["id"]]


def _processing(data: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    from clemkit.metadata.from_provenance import from_step
    from clemkit.metadata.models import to_plain

    kind, _, subject = name.partition(":")
    step = Step.from_dict(json.loads(path.read_text("utf-8")))
    result = to_plain(from_step(step, f"run-{kind}-{subject}"))
    result["software"] = [_SOFTWARE]
    correlation = next((c for c in data.get("correlations", ()) if c["id"] == subject), None)
    result |= _images_of_step(kind, subject, correlation, data)
    return result


def _images_of_step(
    kind: str, subject: str, correlation: Mapping[str, Any] | None, data: Mapping[str, Any]
) -> dict[str, Any]:
    if correlation is None:
        return {"input_images": [subject]} if kind == "convert" else {}
    fixed, moving = correlation["fixed_image"], correlation["moving_image"]
    if kind == "segment":
        return {"input_images": [fixed], "output_images": [f"{subject}-labels"]}
    if kind == "warp":
        return {
            "input_images": [moving],
            "output_images": [warped_name(data, correlation)],
            "informed_by": [f"run-register-{subject}"],
        }
    found: dict[str, Any] = {"input_images": [fixed, moving]}
    if kind == "evaluate":
        found["informed_by"] = [f"run-register-{subject}"]
    return found
