"""Register two volume files, or landmark pairs, into a folder with everything in it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.provenance import Progress, Step, digest_path, no_progress
from clemkit.registration.result import RegistrationResult
from clemkit.workflows.engine_choice import check_engine, run_engine
from clemkit.workflows.register_guidance import StructureFiles, open_guidance
from clemkit.workflows.register_inputs import Inputs, open_inputs
from clemkit.workflows.register_landmarks import register_landmark_file
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
from clemkit.workflows.register_plan import register_plan
from clemkit.workflows.register_presets import check_preset, preset_settings, start_hint
from clemkit.workflows.register_preview import make_preview
from clemkit.workflows.registration_attempt import attempt
from clemkit.workflows.registration_record import (
    grid_record,
    registration_record,
    write_json_file,
)

if TYPE_CHECKING:
    from clemkit.geometry import Grid
    from clemkit.landmarks import LandmarkPairs
    from clemkit.registration.settings import Settings
    from clemkit.transforms import Affine, Transform
    from clemkit.volumes import Modality, Volume

__all__ = ["register_files", "register_landmark_file"]

_MOST_WORKERS = 16


def register_files(
    fixed: str | Path,
    moving: str | Path,
    output: str | Path,
    *,
    fixed_labels: str | Path | None = None,
    moving_labels: str | Path | None = None,
    structure: str | None = None,
    fixed_voxel_size_zyx_nm: Sequence[float] | None = None,
    moving_voxel_size_zyx_nm: Sequence[float] | None = None,
    fixed_channel: int | str | None = None,
    moving_channel: int | str | None = None,
    fixed_modality: Modality | None = None,
    moving_modality: Modality | None = None,
    allow_reflection: bool = False,
    engine: str = "clemkit",
    preset: str | None = None,
    settings: Settings | str | Path | None = None,
    initial: str | Path | Transform | None = None,
    trust_initial: bool = False,
    landmarks: str | Path | LandmarkPairs | None = None,
    hard_landmarks: bool = False,
    units: str | None = None,
    structures: Sequence[StructureFiles] = (),
    preview: bool = False,
    seed: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Register two volume files without initialisation and write a folder of results.

    Parameters
    ----------
    fixed, moving : path
        Anything :func:`clemkit.volumes.open_volume` reads; usually EM, and LM or X-ray CT.
    output : path
        Folder to make: ``transforms/``, ``bigwarp_landmarks.csv``, ``warped.ome.zarr``,
        ``jacobian.ome.zarr``, ``uncertainty.ome.zarr``, ``misfit.csv``, ``registration.json``,
        ``provenance.json``, ``report.html``, ``preview.png``. It appears when all is written. A
        refused registration leaves ``registration.json`` (status ``failed``) and
        ``provenance.json`` alone.
    fixed_labels, moving_labels : path, optional
        Structures to match. Labels of the shape of their volume lie on its grid; others need a
        voxel size in their file. A volume that is itself labels is used as such.
    structure : str, optional
        What both show. Chooses the channel of that name; ``"intensity"`` matches grey values even
        where a volume looks like labels. Recorded.
    fixed_voxel_size_zyx_nm, moving_voxel_size_zyx_nm : sequence of float, optional
        Voxel sizes, overriding the files.
    fixed_channel, moving_channel : int or str, optional
        Channels to match; the first fixed one, and the best moving one, where absent.
    fixed_modality, moving_modality : {"em", "lm", "xray_ct"}, optional
        What made the images; guessed from the voxels and reported where absent, see
        :func:`clemkit.workflows.modality.guess_modality`.
    allow_reflection : bool
        Accept a mirrored specimen.
    engine : {"clemkit", "elastix", "greedy"}
        Which engine deforms; the pose is always clemkit's. The others need *fixed_labels* and
        their extra; see :func:`clemkit.registration.engines.refined_result.refine_result`.
    preset : {"cosem", "clem-reg", "cell", "tissue", "organism"}, optional
        A published chain instead of clemkit's engine, or its settings for a scale of specimens.
    settings : Settings or path, optional
        Physical settings of clemkit's engine, or a YAML file of them, over those of a preset.
    initial : path or Transform, optional
        Fixed → moving, from which to go on instead of searching: a transform file, or the folder
        of an earlier registration.
    trust_initial : bool
        Do not ask the images whether it can be right.
    landmarks : path or LandmarkPairs, optional
        Hand-placed pairs that guide the deformation.
    hard_landmarks : bool
        Pass through them.
    units : str, optional
        Length unit of *landmarks* and *initial* where the files state none.
    structures : sequence of StructureFiles, optional
        Several kinds of structures, instead of the labels and the moving channel.
    preview : bool
        Leave ``OUTPUT-preview.png`` beside the output after the coarse stage.
    seed : int
        Of everything random.
    workers : int, optional
        Threads of the warp; None takes one per processor, at most 16. Never changes a byte.
    overwrite : bool
        Replace an earlier registration, once the new one is complete.
    dry_run : bool
        Open and check everything, register nothing, write nothing.
    progress : Progress
        Told how far it is.

    Returns
    -------
    dict
        The content of ``registration.json``, and ``output``. For a dry run: what would be done.

    Raises
    ------
    ArgumentError, NotFoundError, UnitError, AxisError
        The inputs do not fit together, or the output is taken; nothing is written.
    DataError
        An image cannot be read or used, or the disk is full; nothing is left behind.
    """
    from clemkit.warping.execute import check_voxels

    started = _now()
    target = Path(output)
    chosen = preset_settings(preset, settings)
    if structures:
        if any(v is not None for v in (fixed_labels, moving_labels, moving_channel)):
            raise ArgumentError(
                "register: expected structures, or labels and a moving channel; found both"
            )
        fixed_labels, moving_labels = structures[0].labels, structures[0].moving_labels
        moving_channel = structures[0].channel
    named_files = [f for one in structures for f in (one.labels, one.moving_labels)]
    given = (fixed, moving, fixed_labels, moving_labels, *named_files)
    check_output(target, overwrite, tuple(Path(p) for p in given if p is not None))
    inputs = open_inputs(
        fixed,
        moving,
        fixed_labels=fixed_labels,
        moving_labels=moving_labels,
        structure=structure,
        fixed_voxel_size_zyx_nm=fixed_voxel_size_zyx_nm,
        moving_voxel_size_zyx_nm=moving_voxel_size_zyx_nm,
        fixed_channel=fixed_channel,
        moving_channel=moving_channel,
        fixed_modality=fixed_modality,
        moving_modality=moving_modality,
    )
    check_engine(engine, inputs)
    guidance = open_guidance(
        inputs,
        initial=initial,
        trust_initial=trust_initial,
        landmarks=landmarks,
        hard_landmarks=hard_landmarks,
        units=units,
        structures=structures,
    )
    guided = guidance.landmarks is not None or bool(guidance.structures)
    check_preset(preset, chosen, inputs, engine, guided)
    inputs = replace(inputs, notes=(*inputs.notes, *guidance.notes))
    named = {**_input_record(inputs, structure), **guidance.record}
    volume = _warpable(inputs.moving.volume)
    check_voxels(volume.dtype, 0 if volume.role != "intensity" else 1, 0)
    if dry_run:
        return register_plan(target, inputs, named, preset, chosen, seed)
    draw = None
    if preview:
        draw = make_preview(inputs, target, overwrite=overwrite, progress=progress)
    threads = min(os.cpu_count() or 1, _MOST_WORKERS) if workers is None else workers
    if threads < 1:
        raise ArgumentError(f"workers: expected at least 1; found {workers}")
    call = {"allow_reflection": allow_reflection, "engine": engine, "preset": preset, **named}

    def work() -> RegistrationResult:
        return run_engine(
            engine,
            inputs,
            guidance,
            preset=preset,
            allow_reflection=allow_reflection,
            settings=chosen,
            seed=seed,
            preview=draw,
            progress=progress,
        )

    result = attempt(
        work,
        target,
        overwrite=overwrite,
        inputs=named,
        paths=(*inputs.paths, *guidance.paths),
        parameters=call,
        seed=seed,
        started=started,
        notes=inputs.notes,
        hints=(*inputs.hints, *start_hint(preset, guidance.initial)),
    )
    if isinstance(result, dict):
        return result
    with new_output(target, overwrite) as folder:
        step = replace(
            result.step,
            inputs=tuple(digest_path(path) for path in (*inputs.paths, *guidance.paths)),
            parameters={**call, "settings": dict(result.step.parameters), "workers": threads},
            started=started,
        )
        record = _write_volumes(
            folder, target, inputs, volume, result, named, step, threads, progress
        )
    return record | {"output": str(target)}


def _write_volumes(
    folder: Path,
    target: Path,
    inputs: Inputs,
    volume: Volume,
    result: RegistrationResult,
    named: Mapping[str, Any],
    step: Step,
    workers: int,
    progress: Progress,
) -> dict[str, Any]:
    from clemkit.transforms import Affine
    from clemkit.warping import warp_volume
    from clemkit.workflows.register_images import jacobian_map, make_overview, warped_grid

    fixed, moving = inputs.fixed.volume, inputs.moving.volume
    forward = result.fixed_to_moving
    affine = Affine(
        np.asarray(result.details["affine_fixed_to_moving"]),
        source=forward.source,
        target=forward.target,
    )
    progress("write", 0.0, "transforms")
    write_transforms(folder, result, fixed.grid, moving.grid)
    finest = min(_extended(moving.grid))
    rebuilt = write_pairs(folder, result, fixed.grid, REBUILT_VOXELS * finest)
    progress("write", 0.3, "warped volume")
    grid = warped_grid(fixed.grid, moving.grid, affine, volume.channel_count)
    notes = inputs.notes
    if grid != fixed.grid:
        notes = (
            *notes,
            f"warped.ome.zarr has voxels of {_rounded(grid.voxel_size_zyx_nm)} nm, as the moving "
            "volume resolves no more; clemkit warp --like gives any other grid",
        )
    report = warp_volume(
        volume, grid, forward, folder / "warped.ome.zarr", workers=workers, progress=progress
    )
    progress("write", 0.6, "maps and report")
    maps: dict[str, tuple[Any, Grid]] = {"jacobian": jacobian_map(forward, affine, fixed.grid)}
    if result.details.get("uncertainty_nm") is not None:
        maps["uncertainty"] = (
            result.details["uncertainty_nm"],
            result.details["uncertainty_grid"],
        )
    write_maps(folder, maps, workers)
    vectors = _held_out(result, affine)
    write_vector_table(folder, vectors)
    extra = {
        "bigwarp": rebuilt.to_dict(),
        "warped": {**(grid_record(grid) or {}), "map_error_voxels": report.map_error_voxels},
    }
    channel = result.details.get("moving_channel", inputs.moving.channel or 0)
    overview = make_overview(
        fixed,
        inputs.fixed.path,
        inputs.fixed.channel or 0,
        inputs.fixed.labels,
        moving,
        int(channel),
        inputs.moving.labels,
        forward,
        affine,
        workers=workers,
    )
    record = registration_record(
        result,
        inputs=named,
        fixed_grid=fixed.grid,
        moving_grid=moving.grid,
        affine_fixed_to_moving=affine.matrix,
        tre_space="moving",
        notes=notes,
        extra=extra,
    )
    write_report(
        folder,
        result,
        title=f"{inputs.moving.path.name} on {inputs.fixed.path.name}",
        names=(inputs.fixed.path.name, inputs.moving.path.name),
        step=step,
        notes=notes,
        affine=affine,
        overview=overview,
        maps=maps,
        vectors=vectors,
        moving_grid=moving.grid,
        summary={
            "peak_memory_mb": record["peak_memory_mb"],
            "bigwarp_pairs": rebuilt.to_dict()["pairs"],
            "bigwarp_residual_max_nm": rebuilt.max_nm,
        },
    )
    write_json_file(folder / "registration.json", record)
    write_provenance(folder, target, step)
    progress("write", 1.0, "done")
    return record


def _held_out(result: RegistrationResult, affine: Affine) -> Vectors | None:
    points = result.details.get("held_out_points_zyx_nm")
    if points is None or not len(points):
        return None
    misfit = np.asarray(result.details["held_out_misfit_zyx_nm"])
    return Vectors(
        points_zyx_nm=np.asarray(points),
        vectors_zyx_nm=misfit @ np.linalg.inv(affine.linear).T,  # the engine gives moving axes
        caption="structures left out of the fit: where they are against where the fit puts them",
    )


def _warpable(volume: Volume) -> Volume:
    """Return a volume whose voxels can be interpolated: 64-bit numbers are read as float64."""
    from clemkit.workflows.converted_source import as_float64

    wide = volume.dtype.kind in "iu" and volume.dtype.itemsize == 8
    if volume.role != "intensity" or not (wide or volume.dtype.kind == "b"):
        return volume
    return replace(volume, data=as_float64(volume.data))


def _input_record(inputs: Inputs, structure: str | None) -> dict[str, Any]:
    record: dict[str, Any] = {"structure": structure}
    for name, side in (("fixed", inputs.fixed), ("moving", inputs.moving)):
        record[name] = {
            "path": str(side.path),
            "labels": None if side.labels_path is None else str(side.labels_path),
            "matched": "values" if side.labels is None else "labels",
            "modality": side.volume.modality,
            "channel": side.channel,
            "channels": list(side.volume.channels),
        }
    return record


def _extended(grid: Grid) -> list[float]:
    return [v for v, n in zip(grid.voxel_size_zyx_nm, grid.shape_zyx, strict=True) if n > 1]


def _rounded(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
