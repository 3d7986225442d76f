"""Neuroglancer states: the affine of a layer.

Axis order
    z, y, x, as in the OME-Zarr arrays that the layers show; rows follow ``outputDimensions``.
Unit
    ``outputDimensions`` gives the scale and unit of each row (here 1e-9 m). The translation is
    in these; the linear part maps physical lengths and has no unit.
Direction
    Moving to fixed: the matrix moves the layer into the scene.
Origin
    The matrix replaces the source's own placement. For OME-Zarr sources it acts on
    (voxel index x voxel size) with voxel centres at whole indices, so the grid's origin is part
    of the translation. (Viewers from before OME-Zarr 0.6 add the source's own translation.)
Handedness
    Kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError, FormatError
from clemkit.geometry import FloatArray, Grid, Space, require_same_space
from clemkit.transforms.affine import Affine
from clemkit.transforms.io.json_file import read_json_object, write_json

__all__ = ["NeuroglancerLayer", "neuroglancer_state", "read_neuroglancer", "write_neuroglancer"]

_AXES = ("z", "y", "x")
_METRES = {"m": 1e9, "mm": 1e6, "um": 1e3, "µm": 1e3, "nm": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuroglancerLayer:
    """A layer to be shown.

    Attributes
    ----------
    name : str
        Name in the viewer.
    url : str
        Data source, for example ``zarr://https://…/em.ome.zarr/``.
    grid : Grid
        Sampling of the source's full resolution.
    to_scene : Affine or None
        From the grid's space to the scene's; None for a layer that defines the scene.
    channels : bool
        Whether the source has a leading channel axis.
    """

    name: str
    url: str
    grid: Grid
    to_scene: Affine | None = None
    channels: bool = False

    def __post_init__(self) -> None:
        if self.to_scene is not None:
            require_same_space(self.grid.space, self.to_scene.source, "NeuroglancerLayer.to_scene")


def neuroglancer_state(layers: Sequence[NeuroglancerLayer], *, title: str = "") -> dict[str, Any]:
    """Return a minimal state that places every layer in one scene, in nanometres."""
    if not layers:
        raise ArgumentError("layers: expected at least one; found none")
    scene = {axis: [1e-9, "m"] for axis in _AXES}
    centre = layers[0].grid.centre_zyx_nm
    if layers[0].to_scene is not None:
        centre = layers[0].to_scene.apply_points([centre])[0]
    state: dict[str, Any] = {
        "dimensions": scene,
        "position": centre.tolist(),
        "crossSectionScale": float(min(layers[0].grid.voxel_size_zyx_nm)),
        "layers": [_layer(layer) for layer in layers],
        "layout": "4panel",
    }
    if title:
        state["title"] = title
    return state


def write_neuroglancer(
    path: str | Path,
    layers: Sequence[NeuroglancerLayer],
    *,
    title: str = "",
    overwrite: bool = False,
) -> None:
    """Write a state as JSON, to be loaded into Neuroglancer or appended to its address.

    Parameters
    ----------
    path : path
        File to make.
    layers : sequence of NeuroglancerLayer
        What to show, the reference first.
    title : str
        Title of the page; say here what an affine leaves out.
    overwrite : bool
        Whether an existing file may be replaced.
    """
    write_json(path, neuroglancer_state(layers, title=title), overwrite=overwrite)


def read_neuroglancer(path: str | Path, *, layer: str, grid: Grid, target: Space) -> Affine:
    """Read the affine of a layer.

    Parameters
    ----------
    path : path
        State as JSON.
    layer : str
        Name of the layer.
    grid : Grid
        Sampling of the source's full resolution; its origin is taken out of the matrix.
    target : Space
        Space of the scene.

    Returns
    -------
    Affine
        From the grid's space to the scene.

    Raises
    ------
    FormatError
        There is no such layer, or its transform is not a 3D affine.
    """
    state = read_json_object(path)
    layers = {str(item.get("name")): item for item in state.get("layers", [])}
    if layer not in layers:
        raise FormatError(path, f"expected one of the layers {sorted(layers)}; found {layer!r}")
    found = layers[layer].get("source")
    first = found[0] if isinstance(found, list) and found else found
    transform = first.get("transform") if isinstance(first, dict) else None
    if not isinstance(transform, dict) or "outputDimensions" not in transform:
        raise FormatError(path, f"layer {layer!r}: expected a transform with outputDimensions")
    dimensions: Mapping[str, Any] = transform["outputDimensions"]
    names = list(dimensions)
    try:
        columns = [names.index(axis) for axis in _AXES]
        scales = np.array([dimensions[axis][0] * _METRES[dimensions[axis][1]] for axis in _AXES])
        rank = len(names)
        matrix = np.asarray(transform.get("matrix", np.eye(rank, rank + 1)), dtype=np.float64)
        if matrix.shape != (rank, rank + 1):
            raise ValueError(f"a matrix of shape {matrix.shape}")
    except (ValueError, KeyError, TypeError, IndexError) as problem:
        raise FormatError(
            path,
            f"layer {layer!r}: expected outputDimensions with z, y, x in metres and a matrix of "
            f"as many rows; found {problem}",
        ) from None
    linear = matrix[np.ix_(columns, columns)]
    translation = matrix[columns, -1] * scales
    return Affine.from_parts(
        linear, translation - linear @ _origin(grid), source=grid.space, target=target
    )


def _layer(layer: NeuroglancerLayer) -> dict[str, Any]:
    affine = layer.to_scene or Affine.identity(layer.grid.space, layer.grid.space)
    rows = affine.matrix[:3].copy()
    rows[:, 3] += affine.linear @ _origin(layer.grid)
    # the first entry of each pair is the scale, the second its unit
    output: dict[str, list[Any]] = {axis: [1e-9, "m"] for axis in _AXES}
    source: dict[str, list[Any]] = {
        axis: [size * 1e-9, "m"]
        for axis, size in zip(_AXES, layer.grid.voxel_size_zyx_nm, strict=True)
    }
    if layer.channels:
        output, source = {"c'": [1, ""], **output}, {"c'": [1, ""], **source}
        wide = np.zeros((4, 5))
        wide[0, 0], wide[1:, 1:] = 1.0, rows
        rows = wide
    return {
        "type": "image",
        "name": layer.name,
        "source": {
            "url": layer.url,
            "transform": {
                "matrix": rows.tolist(),
                "outputDimensions": output,
                "inputDimensions": source,
            },
        },
    }


def _origin(grid: Grid) -> FloatArray:
    return np.array(grid.origin_zyx_nm)
