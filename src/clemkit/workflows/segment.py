"""Label the structures of one size in a volume file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError, DataError
from clemkit.provenance import Progress, Step, digest_path, no_progress
from clemkit.volumes import Volume, open_volume, write_ome_zarr
from clemkit.volumes.writers.atomic import check_free

__all__ = ["segment_file"]


def segment_file(
    path: str | Path,
    output: str | Path,
    *,
    radius_nm: float,
    polarity: str = "bright",
    sensitivity: float = 1.0,
    least_volume_um3: float | None = None,
    channel: int | str | None = None,
    voxel_size_zyx_nm: Sequence[float] | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Segment one channel of a volume and write its labels as OME-Zarr.

    The channel is held in memory, about ten times as 32-bit numbers.

    Parameters
    ----------
    path, output : path
        Any readable volume; a name that ends in ``.ome.zarr``.
    radius_nm, polarity, sensitivity, least_volume_um3
        See :func:`clemkit.segmentation.segment_structures`.
    channel : int or str, optional
        Default the only one.
    voxel_size_zyx_nm : sequence of float, optional
        Overriding the file's.
    overwrite, dry_run : bool
    progress : Progress

    Returns
    -------
    dict
        ``output``, ``objects``, ``labelled_fraction``, ``median_volume_um3``, ``shape``,
        ``voxel_size_zyx_nm``, ``provenance``, ``dry_run``.

    Raises
    ------
    ArgumentError, UnitError, NotFoundError, AxisError
        The input cannot be opened as asked, or the output is taken.
    DataError
        The image is constant or not finite, or nothing stands out.
    """
    from clemkit.segmentation import segment_structures

    started = datetime.now(UTC).isoformat(timespec="seconds")
    source, target = Path(path), Path(output)
    if not target.name.lower().endswith(".zarr"):
        raise ArgumentError(f"{target}: expected a name that ends in .ome.zarr")
    record = target.with_name(f"{target.name}.provenance.json")
    check_free(target, overwrite)
    check_free(record, overwrite)
    volume = open_volume(source, voxel_size_zyx_nm=voxel_size_zyx_nm, channel=channel)
    if volume.channel_count > 1:
        names = ", ".join(volume.channels) or f"0 to {volume.channel_count - 1}"
        raise ArgumentError(f"{source}: expected one channel; found {names}; pass --channel")
    found = {
        "output": str(output),
        "shape": list(volume.grid.shape_zyx),
        "voxel_size_zyx_nm": list(volume.grid.voxel_size_zyx_nm),
        "provenance": str(record),
        "dry_run": dry_run,
    }
    if dry_run:
        return found
    progress("segment", 0.0)
    labels = segment_structures(
        volume.read(),
        volume.grid,
        radius_nm=radius_nm,
        polarity=polarity,  # type: ignore[arg-type]  # checked there
        sensitivity=sensitivity,
        least_volume_um3=least_volume_um3,
    )
    count = int(labels.max())
    if count == 0:
        raise DataError(
            f"{source}: expected structures of about {radius_nm:g} nm radius; found none; "
            "check --radius-nm and --polarity, or raise --sensitivity"
        )
    progress("segment", 0.8, f"{count} objects")
    result = Volume(data=labels, grid=volume.grid, modality=volume.modality, role="labels")
    write_ome_zarr(target, result, overwrite=overwrite)
    sizes = np.bincount(labels.ravel())[1:] * float(np.prod(volume.grid.voxel_size_zyx_nm)) * 1e-9
    Step(
        activity="segmentation",
        inputs=(digest_path(source),),
        outputs=(digest_path(target),),
        parameters={
            "radius_nm": radius_nm,
            "polarity": polarity,
            "sensitivity": sensitivity,
            "least_volume_um3": least_volume_um3,
            "channel": channel,
            "voxel_size_zyx_nm": found["voxel_size_zyx_nm"],
        },
        started=started,
    ).write(record)
    progress("segment", 1.0, "done")
    return found | {
        "objects": count,
        "labelled_fraction": float(np.mean(labels > 0)),
        "median_volume_um3": float(np.median(sizes)),
    }
