"""Reading OME-Zarr 0.6 scenes; conventions as in :mod:`clemkit.transforms.io.ome_zarr_scene`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import (
    ArgumentError,
    ClemkitError,
    FormatError,
    NotFoundError,
    NotInvertibleError,
)
from clemkit.geometry import Grid, Space, nanometres_per
from clemkit.transforms.affine import Affine
from clemkit.transforms.base import Identity, Transform
from clemkit.transforms.displacement_field import DisplacementField
from clemkit.transforms.io.frame_note import MARK, FrameNote, chain_parts, join_parts

__all__ = ["read_ome_zarr_scene"]


@dataclass(frozen=True, slots=True)
class _Store:
    """The open store with its path for messages, and nanometres per unit of the two systems."""

    root: Any
    path: Path
    scale: float


def read_ome_zarr_scene(
    path: str | Path, *, source: Space | None = None, target: Space | None = None
) -> tuple[Transform, Transform | None]:
    """Read the transform between two coordinate systems of a scene, in both directions.

    Parameters
    ----------
    path : path
        Zarr store.
    source, target : Space, optional
        Named like two coordinate systems; by default the ends of the first transformation.

    Returns
    -------
    forward, inverse : Transform, Transform or None
        Source to target, and back: the inverse of a ``bijection`` as written, the exact inverse
        of an affine, else None.

    Raises
    ------
    FormatError
        The store is no scene, or a transformation is damaged or not supported.
    ArgumentError
        The scene does not join the two systems.
    """
    import zarr

    path = Path(path)
    if not path.is_dir():
        raise NotFoundError(f"{path}: no such store")
    try:
        root = zarr.open_group(str(path), mode="r", zarr_format=3)
        attributes = dict(root.attrs)
    except (OSError, ValueError, KeyError, json.JSONDecodeError) as problem:
        raise FormatError(path, f"expected a Zarr v3 group; {problem}") from None
    ome = attributes.get("ome", {})
    scene = ome.get("scene") if isinstance(ome, dict) else None
    if not isinstance(scene, dict) or not scene.get("coordinateTransformations"):
        raise FormatError(path, "expected ome.scene with coordinateTransformations; found none")
    entry, swapped = _chosen(scene["coordinateTransformations"], source, target, path)
    ends = Space(_name(entry, "input")), Space(_name(entry, "output"))
    store = _Store(root, path, _unit_scale(scene, ends, path))
    note = attributes.get(MARK)
    names = FrameNote.from_json(str(note), path).spaces if note else ()
    try:
        forward, inverse = _both(entry, ends, names, store)
    except ClemkitError:
        raise
    except (KeyError, TypeError, ValueError, IndexError) as problem:
        raise FormatError(path, f"damaged transformation: {problem!r}") from None
    if not swapped:
        return forward, inverse
    if inverse is None:
        raise ArgumentError(
            f"{path}: the scene has {ends[0]} to {ends[1]} without an inverse; ask for that one"
        )
    return inverse, forward


def _both(
    entry: Mapping[str, Any], ends: tuple[Space, Space], names: tuple[str, ...], store: _Store
) -> tuple[Transform, Transform | None]:
    if entry["type"] == "bijection":
        forward = _build(entry["forward"], *ends, names, store)
        return forward, _build(entry["inverse"], ends[1], ends[0], (), store)
    forward = _build(entry, *ends, names, store)
    try:
        return forward, forward.inverse()
    except NotInvertibleError:
        return forward, None


def _chosen(
    entries: list[Mapping[str, Any]], source: Space | None, target: Space | None, path: Path
) -> tuple[Mapping[str, Any], bool]:
    pairs = [(_name(entry, "input"), _name(entry, "output")) for entry in entries]
    for swapped in (False, True):
        wanted = (target, source) if swapped else (source, target)
        for entry, pair in zip(entries, pairs, strict=True):
            if all(
                space is None or space.name == name
                for space, name in zip(wanted, pair, strict=True)
            ):
                return entry, swapped
    raise ArgumentError(
        f"{path}: expected a transformation between {source} and {target}; found {pairs}"
    )


def _name(entry: Mapping[str, Any], side: str) -> str:
    reference = entry.get(side)
    if isinstance(reference, Mapping):
        return str(reference.get("name") or reference.get("path"))
    return str(reference)


def _unit_scale(scene: Mapping[str, Any], ends: tuple[Space, Space], path: Path) -> float:
    """Return the nanometres per unit that both ends share."""
    systems = {str(s.get("name")): s for s in scene.get("coordinateSystems", [])}
    scales: set[float] = set()
    for space in ends:
        if space.name not in systems:
            raise FormatError(
                path,
                f"expected coordinate system {space.name!r} in the scene; found {sorted(systems)}",
            )
        axes = systems[space.name].get("axes", [])
        names = [axis.get("name") for axis in axes]
        if names != ["z", "y", "x"]:
            raise FormatError(path, f"{space}: expected axes z, y, x; found {names}")
        scales |= {nanometres_per(str(axis.get("unit", "(none)"))) for axis in axes}
    if len(scales) != 1:
        raise FormatError(path, "expected one length unit for all axes; found several")
    return scales.pop()


def _build(
    entry: Mapping[str, Any], source: Space, target: Space, names: tuple[str, ...], store: _Store
) -> Transform:
    if entry["type"] != "sequence":
        return _step(entry, source, target, store)
    steps = entry["transformations"]
    if len(names) != len(steps) + 1:
        names = tuple(f"{source}-to-{target}-{i}" for i in range(len(steps) + 1))
    spaces = [source, *(Space(name) for name in names[1:-1]), target]
    parts = [
        part
        for i, step in enumerate(steps)
        for part in chain_parts(_step(step, spaces[i], spaces[i + 1], store))
    ]
    if not parts:
        raise FormatError(store.path, "expected a sequence with transformations; found none")
    return join_parts(parts)


def _step(entry: Mapping[str, Any], source: Space, target: Space, store: _Store) -> Transform:
    kind = entry["type"]
    linear, shift = np.eye(3), np.zeros(3)
    if kind == "identity":
        return Identity(source, target)
    if kind == "displacements":
        return _field(entry, source, target, store)
    if kind == "scale":
        linear = np.diag(np.asarray(entry["scale"], dtype=np.float64))
    elif kind == "translation":
        shift = np.asarray(entry["translation"], dtype=np.float64)
    elif kind == "rotation":
        linear = _matrix(entry, "rotation", store)
    elif kind == "mapAxis":
        linear = np.eye(3)[list(entry["mapAxis"])]
    elif kind == "affine":
        matrix = _matrix(entry, "affine", store)
        if matrix.shape != (3, 4):
            raise FormatError(store.path, f"affine: expected 3 x 4; found {matrix.shape}")
        linear, shift = matrix[:, :3], matrix[:, 3]
    else:
        raise FormatError(
            store.path,
            "expected identity, scale, translation, rotation, mapAxis, affine, displacements, "
            f"sequence or bijection; found {kind!r}",
        )
    return Affine.from_parts(linear, shift * store.scale, source=source, target=target)


def _matrix(entry: Mapping[str, Any], name: str, store: _Store) -> np.ndarray:
    values = entry[name] if name in entry else store.root[entry["path"]][...]
    return np.asarray(values, dtype=np.float64)


def _field(
    entry: Mapping[str, Any], source: Space, target: Space, store: _Store
) -> DisplacementField:
    if entry.get("interpolation", "linear") != "linear":
        raise FormatError(
            store.path, f"expected linear interpolation; found {entry['interpolation']!r}"
        )
    if entry["path"] not in store.root:
        raise FormatError(store.path, f"expected a field at {entry['path']!r}; found none")
    group = store.root[entry["path"]]
    multiscale = group.attrs["ome"]["multiscales"][0]
    axes = [axis["name"] for axis in multiscale["coordinateSystems"][-1]["axes"]]
    dataset = multiscale["datasets"][0]
    component = [i for i, name in enumerate(axes) if name not in ("z", "y", "x")]
    if len(component) != 1 or [n for n in axes if n in "zyx"] != ["z", "y", "x"]:
        raise FormatError(store.path, f"field: expected axes component, z, y, x; found {axes}")
    values = np.moveaxis(np.asarray(group[dataset["path"]][...]), component[0], -1)
    spatial = [i for i in range(4) if i != component[0]]
    scale, origin = np.ones(3), np.zeros(3)
    placement = dataset["coordinateTransformations"][0]
    for step in placement.get("transformations", [placement]):
        if step["type"] == "scale":
            factor = np.asarray(step["scale"], dtype=np.float64)[spatial]
            scale, origin = scale * factor, origin * factor
        elif step["type"] == "translation":
            origin = origin + np.asarray(step["translation"], dtype=np.float64)[spatial]
        elif step["type"] != "identity":
            raise FormatError(
                store.path, f"field: expected scale and translation; found {step['type']!r}"
            )
    z, y, x = (float(v) for v in scale * store.scale)
    oz, oy, ox = (float(v) for v in origin * store.scale)
    nz, ny, nx = values.shape[:3]
    grid = Grid(
        space=source,
        shape_zyx=(nz, ny, nx),
        voxel_size_zyx_nm=(z, y, x),
        origin_zyx_nm=(oz, oy, ox),
    )
    return DisplacementField(values * store.scale, grid, source, target)
