"""Where a target of the light microscope lies in the block that goes to the ultramicrotome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clemkit.errors import ArgumentError, NotFoundError
from clemkit.geometry import Box, FloatArray, Grid, Space
from clemkit.provenance import Step, digest_path
from clemkit.workflows.registration_record import strict_json

if TYPE_CHECKING:
    from clemkit.evaluation.block_face import FittedPlane
    from clemkit.evaluation.trimming import BlockFrame, Figure, TrimmingTarget
    from clemkit.transforms.graph import GraphPath, TransformGraph
    from clemkit.transforms.path_error import PathError

__all__ = ["predict_target"]

_MOST_VOXELS = 64_000_000  # of the X-ray volume, when its face is looked for
_MOST_OF_A_LABEL = 4000  # voxels that are mapped for the reach of an object
_AROUND = 8  # points of a wanted plane that follows the image's own planes


def predict_target(
    registration: str | Path,
    *,
    point_zyx_nm: Sequence[float] | None = None,
    labels: str | Path | None = None,
    label: int | None = None,
    source: str | None = None,
    xray_space: str | None = None,
    face_points: str | Path | None = None,
    xray: str | Path | None = None,
    face_side: str = "z-",
    threshold: float | None = None,
    bright_air: bool = False,
    edge: str | Path | None = None,
    plane: str | Path | None = None,
    units: str | None = None,
    pick_error_nm: float | None = None,
    output: str | Path | None = None,
    picture: str | Path | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Predict where a target lies in a block, and how to cut towards it.

    Parameters
    ----------
    registration : path
        Folder of ``clemkit register``, with or without ``--graph``.
    point_zyx_nm : sequence of float, optional
        The target in the image it was seen in, nm.
    labels, label : path and int, optional
        The target as an object of a label volume of that image: its centre of mass.
    source, xray_space : str, optional
        Names of the image with the target and of the X-ray image: of a graph, ids of images; of a
        single registration ``moving`` (the default of *source*) and ``fixed``.
    face_points : path, optional
        Points on the block face in the X-ray image: three or more, its corners best.
    xray : path, optional
        X-ray volume in which the face is looked for where no points are given.
    face_side : {"z-", "z+", "y-", "y+", "x-", "x+"}
        On which side of that volume the air is.
    threshold : float, optional
        Between air and resin.
    bright_air : bool
        Air is brighter than resin.
    edge : path, optional
        Left and right end of the reference edge of the face, seen from the knife.
    plane : path, optional
        Three or more points of the image with the target, in the plane that the sections shall
        have; the image's own planes where absent.
    units : str, optional
        Unit of the point files, where they state none.
    pick_error_nm : float, optional
        Standard deviation of a picked point; one X-ray voxel where absent.
    output, picture : path, optional
        JSON with all figures, and a PNG of them.
    seed : int
        Of the search for the face.
    overwrite : bool

    Returns
    -------
    dict
        JSON-ready. Lengths in nm with 90 % intervals (``value``, ``low``, ``high``): ``depth_nm``,
        ``right_nm``, ``up_nm``, ``approach_nm``; angles ``tilt_deg``, ``knife_deg``,
        ``total_deg``; see :class:`clemkit.evaluation.trimming.TrimmingTarget`.

    Raises
    ------
    ArgumentError, NotFoundError, UnitError
        Something that is needed is not given, or not there.
    DataError
        No face was found.
    """
    from clemkit.evaluation.trimming import block_frame, trimming_target
    from clemkit.transforms.path_error import path_error
    from clemkit.volumes.writers.atomic import check_free

    started = datetime.now(UTC).isoformat(timespec="seconds")
    for path in (output, picture):
        if path is not None:
            check_free(Path(path), overwrite)
    graph, here, block = _graph(Path(registration), source, xray_space)
    target, voxels = _target(point_zyx_nm, labels, label, here)
    findings: list[str] = []
    way = _way(graph, here, block, target)
    status = "ok" if way.is_trusted else "uncertain"
    if status == "uncertain":
        findings.append("the registration is uncertain: look at its report before cutting")
    mapped, inside = _mapped(graph, way, target[None])
    if not np.all(np.isfinite(mapped)):
        raise ArgumentError(
            f"target {_text(target)}: expected a place that the registration maps to {block}; "
            "found one that it does not reach"
        )
    if not inside[0]:
        findings.append(
            "the target lies outside what was registered: the error estimate does not hold there"
        )
    error = path_error(graph, way, target[None])
    if not np.isfinite(error.median_nm):
        raise ArgumentError(
            f"{registration}: expected a registration with an error estimate; found none; a "
            "prediction without an uncertainty is no help at the knife"
        )
    pick = pick_error_nm if pick_error_nm is not None else _voxel(graph.grid(block), xray)
    face, how = _face(face_points, xray, face_side, threshold, bright_air, block, units, pick, seed)
    ends = None if edge is None else _points(edge, block, units, 2)
    frame = block_frame(face, edge_zyx_nm=ends)
    wanted, wanted_how = _wanted(graph, way, target, plane, units, error, findings)
    found = trimming_target(
        frame, mapped[0], median_error_nm=error.median_nm, p90_error_nm=error.p90_nm, wanted=wanted
    )
    if found.depth_nm.value < 0:
        findings.append("the target lies above the face: check the side of the block and the face")
    result = _result(registration, status, here, block, target, mapped[0], error, found)
    result |= _face_record(frame, how, edge) | {"wanted_plane": wanted_how}
    if voxels is not None:
        reached, _ = _mapped(graph, way, voxels)
        depths = frame.to_block(reached[np.all(np.isfinite(reached), axis=1)])[:, 2]
        result["object_depth_nm"] = {"from": float(depths.min()), "to": float(depths.max())}
    result["findings"] = findings
    result = dict(strict_json(result))
    inputs = [Path(p) for p in (registration, labels, face_points, xray, edge, plane) if p]
    if picture is not None:
        from clemkit.evaluation.trimming_figure import write_trimming_figure

        write_trimming_figure(Path(picture), frame, found, overwrite=overwrite)
        result["picture"] = str(picture)
    if output is not None:
        _write(Path(output), result, inputs, overwrite, started, seed)
        result["output"] = str(output)
    return result


def _graph(
    folder: Path, source: str | None, xray_space: str | None
) -> tuple[TransformGraph, Space, Space]:
    """Return the graph and the two spaces."""
    from clemkit.transforms.graph import TransformGraph
    from clemkit.workflows.graph_edges import edge_from_folder
    from clemkit.workflows.register_graph import RECORD, open_graph

    if (folder / RECORD).is_file():
        graph = open_graph(folder)
        names = ", ".join(space.name for space in graph.spaces)
        if source is None or xray_space is None:
            raise ArgumentError(
                f"{folder}: a graph needs the image with the target (--from) and the X-ray image "
                f"(--to); found images {names}"
            )
        here, block = Space(source), Space(xray_space)
    else:
        ends = (Space("fixed"), Space("moving"))
        graph = TransformGraph((edge_from_folder("registration", folder, *ends),))
        here = Space(source or "moving")
        if here not in ends:
            raise ArgumentError(f"--from: expected fixed or moving; found {source!r}")
        block = Space(xray_space) if xray_space else ends[1 - ends.index(here)]
    if here == block:
        raise ArgumentError(f"target: expected two images; found {here} twice")
    return graph, here, block


def _way(graph: TransformGraph, here: Space, block: Space, target: FloatArray) -> GraphPath:
    """Return the best path on which every image holds the target, or else the best of all."""
    ways = graph.paths(here, block)
    return next((way for way in ways if _mapped(graph, way, target[None])[1][0]), ways[0])


def _target(
    point: Sequence[float] | None, labels: str | Path | None, label: int | None, space: Space
) -> tuple[FloatArray, FloatArray | None]:
    """Return the target, and voxels of it where it is an object."""
    if (point is None) == (labels is None):
        raise ArgumentError("target: expected a point, or labels and the label of an object")
    if point is not None:
        values = np.asarray(point, dtype=np.float64)
        if values.shape != (3,) or not np.all(np.isfinite(values)):
            raise ArgumentError(f"point: expected z, y, x in nm; found {point}")
        return values, None
    if label is None or labels is None:
        raise ArgumentError("target: --labels needs --label, the number of the object")
    from clemkit.volumes import open_volume

    volume = open_volume(labels, space=space, role="labels", channel=0)
    where = []
    grid = volume.grid
    step = max(1, 16_000_000 // max(grid.shape_zyx[1] * grid.shape_zyx[2], 1))
    for start in range(0, grid.shape_zyx[0], step):
        stop = min(start + step, grid.shape_zyx[0])
        part = volume.read(Box((start, 0, 0), (stop, *grid.shape_zyx[1:])))
        where.append(np.argwhere(part == label) + np.array([start, 0, 0]))
    index = np.concatenate(where)
    if not len(index):
        raise NotFoundError(f"{labels}: expected an object with the label {label}; found none")
    voxels = grid.to_physical(index)
    chosen = np.unique(np.linspace(0, len(voxels) - 1, _MOST_OF_A_LABEL).astype(int))
    return voxels.mean(axis=0), voxels[chosen]


def _mapped(
    graph: TransformGraph, path: GraphPath, points: FloatArray
) -> tuple[FloatArray, np.ndarray]:
    """Map points along a path; tell which lie in every image on the way."""
    from clemkit.transforms.io.checked_points import map_checked

    inside = np.ones(len(points), dtype=bool)
    for space, step in zip(path.spaces, (*path.steps(), None), strict=True):
        grid = graph.grid(space)
        if grid is not None:
            fine = np.all(np.isfinite(points), axis=1)
            inside &= fine
            inside[fine] &= grid.contains(points[fine])
        if step is not None:
            points, ok = map_checked(step, points)
            inside &= ok
    return points, inside


def _face(
    face_points: str | Path | None,
    xray: str | Path | None,
    side: str,
    threshold: float | None,
    bright_air: bool,
    block: Space,
    units: str | None,
    pick_error_nm: float,
    seed: int,
) -> tuple[FittedPlane, str]:
    from clemkit.evaluation.block_face import FACE_SIDES, find_block_face, fit_plane

    if side not in FACE_SIDES:
        raise ArgumentError(f"face side: expected one of {', '.join(FACE_SIDES)}; found {side!r}")
    outward = np.zeros(3)
    outward["zyx".index(side[0])] = -1.0 if side[1] == "-" else 1.0
    if face_points is not None:
        points = _points(face_points, block, units, 3)
        plane = fit_plane(points, towards_zyx=outward, sigma_nm=pick_error_nm)
        return plane, f"{len(points)} picked points"
    if xray is None:
        raise ArgumentError(
            "target: expected points on the block face (--face) or the X-ray volume (--xray) to "
            "find it in; found neither"
        )
    image, grid = _reduced(xray, block)
    found = find_block_face(
        image, grid, side=side, threshold=threshold, air_is_dark=not bright_air, seed=seed
    )
    return found, f"found in {xray} from side {side}"


def _reduced(path: str | Path, space: Space) -> tuple[Any, Grid]:
    """Read a volume, averaged over blocks where it is large."""
    from clemkit.registration.prepare import read_reduced
    from clemkit.volumes import open_volume

    volume = open_volume(path, space=space)
    factor = 1
    while volume.grid.size / factor**3 > _MOST_VOXELS:
        factor += 1
    return read_reduced(volume, 0, (factor, factor, factor))


def _wanted(
    graph: TransformGraph,
    path: GraphPath,
    target: FloatArray,
    plane: str | Path | None,
    units: str | None,
    error: PathError,
    findings: list[str],
) -> tuple[FittedPlane, str]:
    """Return the wanted plane in X-ray space, from points or from the planes of the image."""
    from clemkit.evaluation.block_face import fit_plane

    here = path.spaces[0]
    if plane is not None:
        points, how = _points(plane, here, units, 3), f"points of {plane}"
    else:
        grid = graph.grid(here)
        radius = 10_000.0 if grid is None else 0.25 * float(grid.extent_zyx_nm[1:].min())
        turn = 2 * np.pi * np.arange(_AROUND) / _AROUND
        ring = np.stack([np.zeros(_AROUND), np.sin(turn), np.cos(turn)], axis=1)
        points = target + radius * ring
        how = f"planes of {here} through the target, within {radius / 1000:.3g} um"
    mapped, inside = _mapped(graph, path, points)
    good = np.all(np.isfinite(mapped), axis=1)
    if not np.all(inside):
        findings.append(
            f"{int(np.sum(~inside))} of {len(points)} points of the wanted plane lie outside what "
            "was registered"
        )
    sigma = max(error.median_nm / 1.5381722544550522, error.p90_nm / 2.5002777108083646)
    return fit_plane(mapped[good], towards_zyx=[1.0, 0.0, 0.0], sigma_nm=max(sigma, 1e-3)), how


def _points(path: str | Path, space: Space, units: str | None, least: int) -> FloatArray:
    from clemkit.landmarks.io import read_landmark_points

    found = read_landmark_points(path, unit=units, space=space).points.points_zyx_nm
    if len(found) < least:
        raise ArgumentError(f"{path}: expected at least {least} points; found {len(found)}")
    return found


def _voxel(grid: Grid | None, xray: str | Path | None) -> float:
    if grid is None and xray is not None:
        from clemkit.volumes import open_volume

        grid = open_volume(xray).grid
    if grid is None:
        raise ArgumentError(
            "target: expected the error of a picked point (--pick-error), as no X-ray voxel size "
            "is known; found none"
        )
    return max(grid.voxel_size_zyx_nm)


def _result(
    registration: str | Path,
    status: str,
    here: Space,
    block: Space,
    target: FloatArray,
    mapped: FloatArray,
    error: PathError,
    found: TrimmingTarget,
) -> dict[str, Any]:
    setting = found.setting

    def figure(value: Figure | None) -> dict[str, float] | None:
        return None if value is None else asdict(value)

    return {
        "registration": str(registration),
        "registration_status": status,
        "source": here.name,
        "xray": block.name,
        "target_zyx_nm": target.tolist(),
        "target_in_xray_zyx_nm": mapped.tolist(),
        "interval_level": 0.9,
        "depth_nm": figure(found.depth_nm),
        "right_nm": figure(found.right_nm),
        "up_nm": figure(found.up_nm),
        "tilt_deg": figure(setting.tilt_deg) if setting else None,
        "knife_deg": figure(setting.knife_deg) if setting else None,
        "total_deg": setting.total_deg if setting else None,
        "approach_nm": figure(found.approach_nm),
        "error_nm": {
            "median": error.median_nm,
            "p90": error.p90_nm,
            "contributions": dict(error.contributions),
        },
    }


def _face_record(frame: BlockFrame, how: str, edge: str | Path | None) -> dict[str, Any]:
    face = frame.face
    return {
        "face": {
            "how": how,
            "point_zyx_nm": face.point_zyx_nm.tolist(),
            "normal_zyx": face.normal_zyx.tolist(),
            "right_zyx": frame.right_zyx.tolist(),
            "up_zyx": frame.up_zyx.tolist(),
            "origin_zyx_nm": frame.origin_zyx_nm.tolist(),
            "origin": "middle of the edge" if edge is not None else "middle of the face",
            "points": len(face.points_zyx_nm),
            "used_fraction": face.used_fraction,
            "sigma_nm": face.sigma_nm,
        }
    }


def _write(
    path: Path,
    result: dict[str, Any],
    inputs: Sequence[Path],
    overwrite: bool,
    started: str,
    seed: int,
) -> None:
    from clemkit.volumes.writers.atomic import atomic_output
    from clemkit.workflows.registration_record import write_json_file

    with atomic_output(path, overwrite) as temporary:
        write_json_file(temporary, result)
    read = []
    for each in inputs:  # of a registration folder, what decides
        record = each / "registration.json"
        record = record if record.is_file() else each / "graph.json"
        read.append(digest_path(record if each.is_dir() and record.is_file() else each))
    Step(
        activity="trimming target",
        inputs=tuple(read),
        outputs=(digest_path(path),),
        parameters={"source": result["source"], "xray": result["xray"]},
        seed=seed,
        started=started,
    ).write(path.with_name(f"{path.name}.provenance.json"))


def _text(point: FloatArray) -> str:
    return ", ".join(f"{value:.0f}" for value in point)
