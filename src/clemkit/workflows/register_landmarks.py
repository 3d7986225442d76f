"""Register two spaces from a file of landmark pairs, into a folder with everything in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clemkit.provenance import Progress, Step, digest_path, no_progress
from clemkit.registration.result import RegistrationResult
from clemkit.workflows.register_output import (
    REBUILT_VOXELS,
    Vectors,
    check_output,
    new_output,
    write_maps,
    write_pairs,
    write_provenance,
    write_report,
    write_transforms,
    write_vector_table,
)
from clemkit.workflows.registration_attempt import attempt
from clemkit.workflows.registration_record import (
    grid_record,
    registration_record,
    write_json_file,
)

if TYPE_CHECKING:
    from clemkit.geometry import Grid

__all__ = ["register_landmark_file"]


def register_landmark_file(
    landmarks: str | Path,
    output: str | Path,
    *,
    units: str | None = None,
    model: str = "auto",
    allow_reflection: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Register two spaces from a file of landmark pairs and write a folder of results.

    Parameters
    ----------
    landmarks : path
        Pairs in any known format; BigWarp's order is moving x, y, z, then fixed x, y, z.
    output : path
        As for :func:`clemkit.workflows.register.register_files`, without volumes.
        ``fixed_grid`` and ``moving_grid`` of ``registration.json`` are null; ``fixed_domain`` and
        ``moving_domain`` are grids over the landmarks.
    units : str, optional
        Length unit of the file (``nm``, ``um``, ``mm``); needed when it states none.
    model : {"auto", "rigid", "similarity", "affine", "tps"}
        Chosen by leave-one-out errors where ``auto``.
    allow_reflection : bool
        Accept a mirrored specimen.
    seed, overwrite, dry_run, progress
        As for :func:`clemkit.workflows.register.register_files`.

    Returns
    -------
    dict
        The content of ``registration.json``, and ``output``.

    Raises
    ------
    ArgumentError, NotFoundError, UnitError
        The file cannot be used as asked, or the output is taken; nothing is written.
    DataError
        The file is damaged, or the disk is full; nothing is left behind.
    """
    from clemkit.geometry import Space
    from clemkit.landmarks.io import read_pairs_file
    from clemkit.registration.landmark_fit import register_landmarks
    from clemkit.workflows.landmark_domain import landmark_domains

    started = datetime.now(UTC).isoformat(timespec="seconds")
    source, target = Path(landmarks), Path(output)
    check_output(target, overwrite, (source,))
    file = read_pairs_file(
        source, unit=units, moving_space=Space("moving"), fixed_space=Space("fixed")
    )
    notes = tuple(f"{f.message}; {f.hint}" if f.hint else f.message for f in file.findings)
    named = {
        "landmarks": str(source),
        "format": file.format,
        "units": {"moving": file.moving_unit, "fixed": file.fixed_unit},
        "pairs": len(file.pairs),
        "inactive": file.inactive_count,
    }
    if dry_run:
        return {"output": str(target), "inputs": named, "model": model, "warnings": list(notes),
                "dry_run": True}  # fmt: skip
    call = {"allow_reflection": allow_reflection, "model": model, **named}

    def work() -> RegistrationResult:
        progress("landmarks", 0.0, f"{len(file.pairs)} pairs")
        found = register_landmarks(
            file.pairs,
            model=model,  # type: ignore[arg-type]
            allow_reflection=allow_reflection,
            seed=seed,
        )
        progress("landmarks", 1.0, found.method)
        return found

    result = attempt(
        work,
        target,
        overwrite=overwrite,
        inputs=named,
        paths=(source,),
        parameters=call,
        seed=seed,
        started=started,
        notes=notes,
    )
    if isinstance(result, dict):
        return result
    step = replace(
        result.step,
        inputs=(digest_path(source),),
        parameters={**call, **result.step.parameters},
        started=started,
    )
    with new_output(target, overwrite) as folder:
        domains = landmark_domains(file.pairs)
        record = _write_landmarks(folder, target, file.pairs, domains, result, named, notes, step)
    return record | {"output": str(target)}


def _write_landmarks(
    folder: Path,
    target: Path,
    pairs: Any,
    domains: tuple[Grid, Grid],
    result: RegistrationResult,
    named: Mapping[str, Any],
    notes: tuple[str, ...],
    step: Step,
) -> dict[str, Any]:
    from clemkit.transforms.io.affine_fit import best_affine
    from clemkit.workflows.register_images import jacobian_map

    fixed_domain, moving_domain = domains
    forward = result.fixed_to_moving
    affine = best_affine(forward, fixed_domain).moving_to_fixed.inverse()
    write_transforms(folder, result, fixed_domain, moving_domain)
    finest = max(moving_domain.voxel_size_zyx_nm)
    rebuilt = write_pairs(folder, result, fixed_domain, REBUILT_VOXELS * finest)
    maps = {"jacobian": jacobian_map(forward, affine, fixed_domain)}
    write_maps(folder, maps, 1)
    fixed = pairs.fixed.points_zyx_nm
    missed = (pairs.moving.points_zyx_nm - forward.apply_points(fixed)) @ np.linalg.inv(
        affine.linear
    ).T
    vectors = Vectors(
        points_zyx_nm=fixed,
        vectors_zyx_nm=missed,
        caption="landmarks as given, wrong ones included: a fit, not an accuracy",
    )
    write_vector_table(folder, vectors)
    record = registration_record(
        result,
        inputs=named,
        fixed_grid=None,
        moving_grid=None,
        affine_fixed_to_moving=affine.matrix,
        tre_space="fixed",
        notes=notes,
        extra={
            "fixed_domain": grid_record(fixed_domain),
            "moving_domain": grid_record(moving_domain),
            "bigwarp": rebuilt.to_dict(),
        },
    )
    write_report(
        folder,
        result,
        title=f"Landmarks of {Path(str(named['landmarks'])).name}",
        names=("fixed", "moving"),
        step=step,
        notes=notes,
        affine=affine,
        overview=None,
        maps=maps,
        vectors=vectors,
        moving_grid=None,
        summary={"landmarks": len(pairs), "model": result.details["model"]},
    )
    write_json_file(folder / "registration.json", record)
    write_provenance(folder, target, step)
    return record
