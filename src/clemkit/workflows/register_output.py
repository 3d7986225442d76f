"""The output folder of ``clemkit register``: complete, or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError, DataError
from clemkit.evaluation import (
    ReportData,
    ReportImages,
    ReportMap,
    ReportVectors,
    render_report,
    report_data_from_result,
    write_preview,
)
from clemkit.geometry import FloatArray, Grid
from clemkit.landmarks.io import write_bigwarp_csv
from clemkit.provenance import Digest, Step, digest_path
from clemkit.registration.result import RegistrationResult
from clemkit.transforms import Affine
from clemkit.transforms.io import write_registration_transforms
from clemkit.volumes import Volume, write_ome_zarr
from clemkit.volumes.writers.atomic import REFUSED_BY_DISK, atomic_output, check_free
from clemkit.workflows.bigwarp_pairs import Rebuilt, rebuild_with_pairs
from clemkit.workflows.register_images import Overview
from clemkit.workflows.registration_record import strict_json, write_json_file, write_vectors

__all__ = [
    "REBUILT_VOXELS",
    "Vectors",
    "check_output",
    "new_output",
    "write_maps",
    "write_pairs",
    "write_provenance",
    "write_report",
    "write_transforms",
    "write_vector_table",
]

REBUILT_VOXELS = 0.1
"""How close BigWarp's spline shall come to the transform, moving voxels."""

RECORD = "registration.json"
PROVENANCE = "provenance.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vectors:
    """Residual vectors in the fixed space, and what they are."""

    points_zyx_nm: FloatArray
    vectors_zyx_nm: FloatArray
    caption: str


def check_output(output: Path, overwrite: bool, inputs: tuple[Path, ...]) -> None:
    """Refuse an output that is taken, or that would destroy something else.

    Raises
    ------
    ArgumentError
        There is something already, it is not a registration, or an input lies in it.
    NotFoundError
        The folder that should hold it does not exist.
    """
    check_free(output, overwrite)
    place = output.resolve()
    for path in inputs:
        if place == path.resolve() or place in path.resolve().parents:
            raise ArgumentError(f"{output}: expected a folder of its own; found the input {path}")
    if not output.exists():
        return
    mine = output.is_dir() and ((output / RECORD).is_file() or not any(output.iterdir()))
    if not mine:
        raise ArgumentError(
            f"{output}: expected an earlier registration to overwrite; found something else, "
            "which stays; choose another name"
        )


@contextmanager
def new_output(output: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a new folder beside *output*; it gets its name when all is written.

    Raises
    ------
    DataError
        The disk is full, or the file system refuses to write; nothing is left behind.
    """
    try:
        with atomic_output(output, overwrite) as temporary:
            temporary.mkdir()
            yield temporary
    except OSError as error:
        if error.errno not in REFUSED_BY_DISK:
            raise
        raise DataError(
            f"{output}: expected to write a registration; the system refused "
            f"({os.strerror(error.errno or 0)}); nothing was left behind; free some "
            "space or choose another place"
        ) from error


def write_transforms(
    folder: Path, result: RegistrationResult, fixed_grid: Grid, moving_grid: Grid
) -> None:
    """Write ``transforms/``."""
    write_registration_transforms(
        folder / "transforms",
        fixed_to_moving=result.fixed_to_moving,
        moving_to_fixed=result.moving_to_fixed,
        fixed_grid=fixed_grid,
        moving_grid=moving_grid,
    )


def write_pairs(
    folder: Path, result: RegistrationResult, domain: Grid, wanted_nm: float
) -> Rebuilt:
    """Write ``bigwarp_landmarks.csv``, in micrometres."""
    rebuilt = rebuild_with_pairs(result.fixed_to_moving, domain, wanted_nm=wanted_nm)
    write_bigwarp_csv(folder / "bigwarp_landmarks.csv", rebuilt.pairs, unit="um")
    return rebuilt


def write_maps(folder: Path, maps: Mapping[str, tuple[Any, Grid]], workers: int) -> None:
    """Write maps of the fixed space as ``NAME.ome.zarr``."""
    for name, (values, grid) in maps.items():
        data = np.ascontiguousarray(values, dtype=np.float32)
        volume = Volume(data=data, grid=grid, modality="em", channels=())
        write_ome_zarr(folder / f"{name}.ome.zarr", volume, workers=workers)


def write_report(
    folder: Path,
    result: RegistrationResult,
    *,
    title: str,
    names: tuple[str, str],
    step: Step,
    notes: tuple[str, ...],
    affine: Affine,
    overview: Overview | None,
    maps: Mapping[str, tuple[Any, Grid]],
    vectors: Vectors | None,
    moving_grid: Grid | None,
    summary: Mapping[str, Any],
) -> None:
    """Write ``report.html``, and ``preview.png`` where there are images."""
    images = None
    if overview is not None:
        images = ReportImages(
            grid=overview.grid,
            fixed=overview.fixed,
            after=overview.after,
            before=overview.before,
            before_caption="affine part only",
            fixed_labels=overview.fixed_labels,
            before_labels=overview.before_labels,
            after_labels=overview.after_labels,
        )
        write_preview(folder / "preview.png", overview.fixed, overview.after, overview.grid)
    shown = {name: ReportMap(values=values, grid=grid) for name, (values, grid) in maps.items()}
    residuals = None
    if vectors is not None and len(vectors.points_zyx_nm):
        residuals = ReportVectors(
            points_zyx_nm=vectors.points_zyx_nm,
            vectors_zyx_nm=vectors.vectors_zyx_nm,
            caption=vectors.caption,
        )
    data: ReportData = report_data_from_result(
        replace(result, step=step, warnings=(*result.warnings, *notes)),
        title=title,
        images=images,
        jacobian=shown.get("jacobian"),
        uncertainty=shown.get("uncertainty"),
        residuals=residuals,
        affine_moving_to_fixed=affine.inverse().matrix,
        moving_voxel_size_zyx_nm=None if moving_grid is None else moving_grid.voxel_size_zyx_nm,
        summary=summary,
        fixed_name=names[0],
        moving_name=names[1],
    )
    render_report(data, folder / "report.html")


def write_vector_table(folder: Path, vectors: Vectors | None) -> None:
    """Write ``misfit.csv``."""
    if vectors is not None and len(vectors.points_zyx_nm):
        write_vectors(folder / "misfit.csv", vectors.points_zyx_nm, vectors.vectors_zyx_nm)


def write_provenance(folder: Path, output: Path, step: Step) -> Step:
    """Write ``provenance.json`` with digests of all that is in the folder; return the record."""
    outputs = []
    for path in sorted(folder.iterdir()):
        found = digest_path(path)
        outputs.append(Digest(str(output / path.name), found.sha256, found.size))
    complete = replace(step, outputs=tuple(outputs), ended=Step(activity="").ended)
    write_json_file(folder / PROVENANCE, strict_json(asdict(complete)))
    return complete
