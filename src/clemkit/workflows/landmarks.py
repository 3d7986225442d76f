"""Sample landmarks from a label volume; convert landmark files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import Space, nanometres_per
from clemkit.landmarks.io import (
    read_landmark_points,
    read_pairs_file,
    sniff_format,
    write_landmark_pairs,
    write_landmark_points,
    write_named_points,
)
from clemkit.landmarks.io.front_door import PAIR_FORMATS, POINT_FORMATS
from clemkit.landmarks.sample import SampledLandmarks, object_centroids
from clemkit.landmarks.skeleton_points import skeleton_points
from clemkit.landmarks.surface_points import surface_points
from clemkit.provenance import Step, digest_path
from clemkit.volumes import open_volume
from clemkit.volumes.labels import connected_components, looks_wrapped
from clemkit.volumes.writers.atomic import check_free

__all__ = ["SAMPLE_KINDS", "convert_landmarks", "sample_landmarks"]

SAMPLE_KINDS = ("centroid", "surface", "skeleton")


def sample_landmarks(
    labels: str | Path,
    output: str | Path,
    *,
    kind: str = "centroid",
    voxel_size_zyx_nm: Sequence[float] | None = None,
    components: bool = False,
    count: int | None = None,
    spacing_nm: float | None = None,
    min_voxels: int = 1,
    seed: int = 0,
    overwrite: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Write landmarks of the objects in a label volume as ``id,z_nm,y_nm,x_nm,sigma…,label,kind``.

    A provenance record is written beside the output as ``OUTPUT.provenance.json``.

    Parameters
    ----------
    labels : path
        Label volume; zero is background.
    output : path
        CSV to write.
    kind : {"centroid", "surface", "skeleton"}
        What to take of each object.
    voxel_size_zyx_nm : sequence of float, optional
        Overrides the file.
    components : bool
        Take connected components of the foreground as objects, whatever the ids say.
    count : int, optional
        Number of surface points.
    spacing_nm : float, optional
        Least distance between surface or skeleton points.
    min_voxels : int
        Smallest object for centroids.
    seed : int
        For surface and skeleton points.
    overwrite : bool
        Whether an existing output may be replaced.
    dry_run : bool
        Check everything, write nothing.

    Returns
    -------
    dict
        ``output``, ``kind``, ``landmarks`` and ``objects`` (numbers), ``voxel_size_zyx_nm``,
        ``warnings``, ``provenance``.

    Raises
    ------
    ArgumentError
        Unknown kind, an option that the kind has not, or the output exists.
    TooFewLandmarksError
        No object.
    """
    started = _now()
    _check_kind(kind, count, spacing_nm)
    target = Path(output)
    check_free(target, overwrite)
    volume = open_volume(labels, voxel_size_zyx_nm=voxel_size_zyx_nm, role="labels")
    voxels = volume.read()
    warnings = []
    if components:
        voxels = connected_components(voxels)[0]
    elif looks_wrapped(voxels):
        warnings.append(
            "the label ids look wrapped (few ids near the top of the type, many pieces each); "
            "take connected components instead: --components"
        )
    sampled: SampledLandmarks
    if kind == "centroid":
        sampled = object_centroids(voxels, volume.grid, min_voxels=min_voxels)
    elif kind == "surface":
        sampled = surface_points(voxels, volume.grid, count=count, spacing_nm=spacing_nm, seed=seed)
    else:
        sampled = skeleton_points(voxels, volume.grid, spacing_nm=spacing_nm, seed=seed)
    result: dict[str, Any] = {
        "output": str(target),
        "kind": kind,
        "landmarks": len(sampled),
        "objects": len(np.unique(sampled.labels)),
        "voxel_size_zyx_nm": list(volume.grid.voxel_size_zyx_nm),
        "warnings": warnings,
        "provenance": str(_record_path(target)),
    }
    if dry_run:
        return result
    write_named_points(
        target,
        sampled.points,
        columns={"label": sampled.labels.tolist(), "kind": sampled.kinds},
        overwrite=overwrite,
    )
    parameters = {
        "kind": kind,
        "voxel_size_zyx_nm": list(volume.grid.voxel_size_zyx_nm),
        "components": components,
        "count": count,
        "spacing_nm": spacing_nm,
        "min_voxels": min_voxels,
    }
    _record("landmark sampling", (labels,), target, parameters, started, seed)
    return result


def _check_kind(kind: str, count: int | None, spacing_nm: float | None) -> None:
    if kind not in SAMPLE_KINDS:
        raise ArgumentError(f"kind: expected one of {', '.join(SAMPLE_KINDS)}; found {kind!r}")
    if count is not None and kind != "surface":
        raise ArgumentError(f"count: expected kind surface; found {kind!r}")
    if spacing_nm is not None and kind == "centroid":
        raise ArgumentError("spacing_nm: expected kind surface or skeleton; found 'centroid'")


def convert_landmarks(
    source: str | Path,
    output: str | Path,
    *,
    units: str | None = None,
    fixed_units: str | None = None,
    output_units: str | None = None,
    output_format: str | None = None,
    fixed: str | Path | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Convert a landmark file, pairs or one set of points, to another format.

    A provenance record is written beside the output as ``OUTPUT.provenance.json``.

    Parameters
    ----------
    source : path
        Any format that is known.
    output : path
        File to write.
    units, fixed_units : str, optional
        Length unit of the input where it states none; of its fixed side where that differs.
    output_units : str, optional
        Unit to write; by default that of the input's moving side (a pair file) or nm.
    output_format : str, optional
        By default after the output's suffix.
    fixed : path, optional
        The fixed points, where *source* holds the moving ones alone.
    overwrite : bool
        Whether an existing output may be replaced.
    dry_run : bool
        Check everything, write nothing.

    Returns
    -------
    dict
        ``output``, ``input_format``, ``landmarks`` (number), ``pairs`` (bool), ``units``,
        ``inactive``, ``warnings``, ``provenance``.

    Raises
    ------
    ArgumentError
        A format that cannot hold the input, or the output exists.
    FormatError, UnitError, NotFoundError, AxisError
        The input cannot be read.
    """
    started = _now()
    target = Path(output)
    check_free(target, overwrite)
    if output_units is not None:
        nanometres_per(output_units)
    kind = sniff_format(source)
    paired = fixed is not None or kind in ("bigwarp-csv", "bigwarp-json", "named-pairs",
                                           "plain-pairs")  # fmt: skip
    allowed = PAIR_FORMATS if paired else POINT_FORMATS
    if output_format is not None and output_format not in allowed:
        raise ArgumentError(
            f"output format: expected one of {', '.join(allowed)} for this input; "
            f"found {output_format!r}"
        )
    inactive = 0
    if paired:
        pairs_file = read_pairs_file(
            source,
            unit=units,
            fixed_unit=fixed_units,
            moving_space=Space("moving"),
            fixed_space=Space("fixed"),
            fixed_path=fixed,
        )
        findings, number = pairs_file.findings, len(pairs_file.pairs)
        written_unit, inactive = output_units or pairs_file.moving_unit, pairs_file.inactive_count
        if not dry_run:
            write_landmark_pairs(
                target,
                pairs_file.pairs,
                format=output_format,
                unit=written_unit,
                overwrite=overwrite,
            )
    else:
        points_file = read_landmark_points(source, unit=units, space=Space("points"))
        findings, number = points_file.findings, len(points_file.points)
        written_unit = output_units or "nm"
        if not dry_run:
            write_landmark_points(
                target,
                points_file.points,
                format=output_format,
                unit=written_unit,
                overwrite=overwrite,
            )
    if not dry_run:
        inputs = (source,) if fixed is None else (source, fixed)
        parameters = {"units": units, "fixed_units": fixed_units, "output_units": written_unit,
                      "output_format": output_format}  # fmt: skip
        _record("landmark conversion", inputs, target, parameters, started, None)
    return {
        "output": str(target),
        "input_format": kind,
        "landmarks": number,
        "pairs": paired,
        "units": written_unit,
        "inactive": inactive,
        "warnings": [f"{f.message}; {f.hint}" if f.hint else f.message for f in findings],
        "provenance": str(_record_path(target)),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _record_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.provenance.json")


def _record(
    activity: str,
    inputs: Sequence[str | Path],
    target: Path,
    parameters: Mapping[str, Any],
    started: str,
    seed: int | None,
) -> None:
    Step(
        activity=activity,
        inputs=tuple(digest_path(path) for path in inputs),
        outputs=(digest_path(target),),
        parameters=parameters,
        seed=seed,
        started=started,
    ).write(_record_path(target))
