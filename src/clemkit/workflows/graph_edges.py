"""Finished registrations as edges of a transform graph, in the spaces of the described images."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clemkit.errors import ArgumentError, ClemkitWarning, SpaceMismatchError

if TYPE_CHECKING:
    from clemkit.geometry import Grid, Space
    from clemkit.transforms import Transform
    from clemkit.transforms.graph import GraphEdge
    from clemkit.workflows.graph_plan import GraphPlan, PlannedEdge
    from clemkit.workflows.run_settings import RunSettings

__all__ = ["edge_from_description", "edge_from_folder", "image_grid", "read_edge", "renamed"]


def renamed(transform: Transform, source: Space, target: Space) -> Transform:
    """Return a transform between spaces of other names."""
    from clemkit.transforms import Identity, compose

    return compose(
        Identity(source, transform.source), transform, Identity(transform.target, target)
    )


def read_edge(planned: PlannedEdge, plan: GraphPlan, settings: RunSettings) -> GraphEdge:
    """Read a registration that is finished or given."""
    from clemkit.geometry import Space

    fixed, moving = Space(planned.fixed), Space(planned.moving)
    if planned.folder is not None:
        return edge_from_folder(planned.name, planned.folder, fixed, moving)
    folder = plan.description.parent
    fixed_grid, moving_grid = (
        image_grid(plan.images.get(space.name, {}), folder, space) for space in (fixed, moving)
    )
    unit = settings.of(planned.name).landmark_unit
    return edge_from_description(
        planned.described, folder, fixed, moving, fixed_grid, moving_grid, unit
    )


def image_grid(image: Mapping[str, Any], folder: Path, space: Space) -> Grid | None:
    """Return the grid of a described image; None where it has no files.

    A described voxel size overrides the one of the file.
    """
    from clemkit.deposition.headers import matching_paths
    from clemkit.volumes import open_volume

    if not isinstance(image.get("file_set"), dict):
        return None
    paths = matching_paths(image["file_set"], folder)
    if not paths:
        return None
    path = paths[0] if len(paths) == 1 else paths[0].parent
    return open_volume(path, voxel_size_zyx_nm=_voxel_size(image), space=space).grid


def _voxel_size(image: Mapping[str, Any]) -> list[float] | None:
    from clemkit.metadata.validate.quantities import base_value

    sizes = [base_value(image.get(f"voxel_size_{axis}")) for axis in "zyx"]
    known = [float(f"{size * 1e9:.12g}") for size in sizes if size is not None]
    return known if len(known) == 3 else None


def edge_from_folder(name: str, folder: Path, fixed: Space, moving: Space) -> GraphEdge:
    """Read a folder of ``clemkit register`` as an edge from its fixed to its moving image.

    Raises
    ------
    NotFoundError, ArgumentError, FormatError
        There is none, it failed, or it is damaged.
    """
    from clemkit.transforms.graph import GraphEdge
    from clemkit.workflows.open_registration import open_registration

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClemkitWarning)  # the graph says which are uncertain
        found = open_registration(folder)
    record = json.loads((folder / "registration.json").read_text("utf-8"))
    estimate = record["tre_estimate_nm"]
    return GraphEdge(
        name=name,
        forward=renamed(found.fixed_to_moving, fixed, moving),
        backward=renamed(found.moving_to_fixed, moving, fixed),
        median_nm=_number(estimate.get("median")),
        low_nm=_number(estimate.get("low")),
        high_nm=_number(estimate.get("high")),
        p90_nm=_number(estimate.get("p90")),
        error_space=fixed if estimate.get("space") == "fixed" else moving,
        source_grid=_grid(record, "fixed", fixed),
        target_grid=_grid(record, "moving", moving),
        is_trusted=found.status == "ok",
    )


def edge_from_description(
    correlation: Mapping[str, Any],
    folder: Path,
    fixed: Space,
    moving: Space,
    fixed_grid: Grid | None,
    moving_grid: Grid | None,
    unit: str | None,
) -> GraphEdge:
    """Read the transforms and errors that a description states.

    An error that is the residual of a fit says nothing about accuracy, and is not taken.

    Raises
    ------
    ArgumentError
        The directions differ, or an inverse needs a grid that nobody knows.
    """
    from clemkit.metadata.validate.quantities import base_value
    from clemkit.transforms import compose
    from clemkit.transforms.graph import GraphEdge

    described = correlation["transforms"]
    ways = {str(item["transform_direction"]) for item in described}
    if len(ways) != 1:
        raise ArgumentError(
            f"correlation {correlation['id']}: expected transforms of one direction; found "
            f"{', '.join(sorted(ways))}"
        )
    to_moving = ways == {"fixed_to_moving"}
    ends = (fixed, moving) if to_moving else (moving, fixed)
    transform = renamed(compose(*_parts(described, folder, unit)), *ends)
    back = _inverse(transform, fixed_grid if to_moving else moving_grid, str(correlation["id"]))
    stated = [e for e in correlation.get("correlation_errors", ()) if e.get("error_kind") != "fit"]
    error = stated[0] if stated else {}

    def length(slot: str) -> float:
        value = base_value(error.get(slot))
        return math.nan if value is None else value * 1e9

    return GraphEdge(
        name=str(correlation["id"]),
        forward=transform if to_moving else back,
        backward=back if to_moving else transform,
        median_nm=length("error_median"),
        low_nm=length("error_interval_low"),
        high_nm=length("error_interval_high"),
        p90_nm=length("error_percentile_90"),
        source_grid=fixed_grid,
        target_grid=moving_grid,
        is_trusted=correlation.get("correlation_status", "ok") == "ok",
    )


def _parts(described: Any, folder: Path, unit: str | None) -> list[Transform]:
    from clemkit.geometry import Space
    from clemkit.transforms import Identity
    from clemkit.transforms.io import read_transform

    parts: list[Transform] = []
    for number, item in enumerate(described):
        ends = (Space(f"step {number}"), Space(f"step {number + 1}"))
        if item.get("transform_file"):
            path, length = folder / str(item["transform_file"]), unit or item.get("matrix_unit")
            try:
                read = read_transform(path, source=ends[0], target=ends[1], unit=length)
            except SpaceMismatchError:  # the file names its spaces itself
                read = read_transform(path, unit=length)
            parts.append(renamed(read, *ends))
        elif item.get("matrix"):
            parts.append(_affine(item, *ends))
        elif item.get("transform_kind") == "identity":
            parts.append(Identity(*ends))
        else:
            raise ArgumentError(
                f"transform {number}: expected transform_file or matrix; found neither"
            )
    return parts


def _affine(item: Mapping[str, Any], source: Space, target: Space) -> Transform:
    import numpy as np

    from clemkit.geometry import nanometres_per
    from clemkit.transforms import Affine

    values = np.array(item["matrix"], dtype=np.float64)
    if values.size != 16 or not item.get("matrix_axes") or not item.get("matrix_unit"):
        raise ArgumentError(
            "matrix: expected 16 numbers with matrix_axes and matrix_unit; found "
            f"{values.size}, {item.get('matrix_axes')} and {item.get('matrix_unit')}"
        )
    matrix = values.reshape(4, 4)
    if item["matrix_axes"] == "xyz":
        order = [2, 1, 0, 3]
        matrix = matrix[np.ix_(order, order)]
    matrix[:3, 3] *= nanometres_per(str(item["matrix_unit"]))
    return Affine(matrix, source=source, target=target)


def _inverse(transform: Transform, domain: Grid | None, name: str) -> Transform:
    from clemkit.errors import NotInvertibleError
    from clemkit.transforms import numerical_inverse

    try:
        return transform.inverse()
    except NotInvertibleError:
        if domain is None:
            raise ArgumentError(
                f"correlation {name}: expected files of the image that the transform starts from, "
                "to invert it there; found none"
            ) from None
        return numerical_inverse(transform, domain=domain, outside="extend")


def _grid(record: Mapping[str, Any], side: str, space: Space) -> Grid | None:
    from clemkit.transforms.io.exact_json import grid_from_json

    data = record.get(f"{side}_grid") or record.get(f"{side}_domain")
    return None if data is None else replace(grid_from_json(data), space=space)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
