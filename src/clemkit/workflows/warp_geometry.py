"""Apply a registration to the vertices of a mesh or skeleton."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import OutsideDomainError
from clemkit.provenance import Step, digest_path
from clemkit.workflows.open_registration import check_direction, open_registration
from clemkit.workflows.registered_points import certificate, map_points

__all__ = ["warp_geometry"]


def warp_geometry(
    registration: str | Path,
    path: str | Path,
    output: str | Path,
    *,
    direction: str,
    units: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Map the vertices of a mesh (OBJ, PLY, STL) or a skeleton (SWC).

    Faces, radii and all else stay as they are. Vertices outside the domain are mapped by the
    transform's continuation and counted.

    Parameters
    ----------
    registration : path
        Folder that ``clemkit register`` wrote.
    path : path
        Mesh or skeleton.
    output : path
        File of the same format; ``OUTPUT.provenance.json`` goes beside it.
    direction : {"fixed-to-moving", "moving-to-fixed"}
        Which way the vertices go.
    units : str, optional
        Length unit of the coordinates, ``nm``, ``um`` or ``mm``; the formats state none, so it
        must be given. The output has the same.
    overwrite : bool
        Replace an existing output.
    dry_run : bool
        Read and map, write nothing.

    Returns
    -------
    dict
        JSON-ready: ``output``, ``direction``, ``points``, ``outside_domain`` (how many),
        ``mirrored`` (whether the map turns faces inside out), ``status``, ``inverse_error_nm``,
        ``provenance``, ``dry_run``.

    Raises
    ------
    NotFoundError, FormatError, UnitError
        The registration or the file cannot be read, or no unit was passed.
    OutsideDomainError
        The inverse has no answer for some vertices.
    ArgumentError
        The output exists or has another suffix, or the registration failed.
    """
    from clemkit.landmarks.geometry_files import read_geometry, write_geometry
    from clemkit.volumes.writers.atomic import check_free

    started = datetime.now(UTC).isoformat(timespec="seconds")
    way = check_direction(direction)
    target = Path(output)
    check_free(target, overwrite)
    geometry = read_geometry(path, unit=units)
    registered = open_registration(registration)
    mapped, outside = map_points(registered, geometry.points_zyx_nm, way)
    lost = ~np.all(np.isfinite(mapped), axis=1)
    if lost.any():
        raise OutsideDomainError(
            f"{path}: expected vertices that come from the registered volume; found "
            f"{int(lost.sum())} of {len(mapped)} for which the inverse has no answer; "
            "cut the mesh to the volume first"
        )
    centre = np.median(geometry.points_zyx_nm[~outside], axis=0) if not outside.all() else None
    mirrored = None
    if centre is not None:
        jacobian = registered.map_points(way).jacobian(centre[None])
        mirrored = bool(np.linalg.det(jacobian)[0] < 0)
    record = target.with_name(f"{target.name}.provenance.json")
    if not dry_run:
        write_geometry(target, geometry, mapped, overwrite=overwrite)
        Step(
            activity="warping",
            inputs=tuple(digest_path(p) for p in (path, *registered.inputs)),
            outputs=(digest_path(target),),
            parameters={"direction": way, "units": geometry.unit},
            started=started,
        ).write(record)
    return {
        "output": str(output),
        "direction": way,
        "points": len(mapped),
        "outside_domain": int(outside.sum()),
        "mirrored": mirrored,
        "status": registered.status,
        "inverse_error_nm": certificate(registered, way),
        "provenance": str(record),
        "dry_run": dry_run,
    }
