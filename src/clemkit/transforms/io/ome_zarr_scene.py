"""OME-Zarr 0.6 scenes (RFC-5): a registration as a released standard holds it.

Axis order
    z, y, x, as declared by the coordinate systems; displacement components in the same order.
Unit
    The ``unit`` of the axes; clemkit writes nanometres.
Direction
    From ``input`` to ``output``: fixed to moving, written as a ``bijection`` whose ``inverse``
    is moving to fixed. A ``sequence`` applies its first transformation first.
Origin
    Physical coordinates; a field's origin is the centre of its first sample.
Handedness
    Kept.

Splines are sampled, since the standard has none: the exchange form. The ITK ``.h5`` beside it is
the lossless record.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clemkit.errors import ArgumentError
from clemkit.geometry import Grid, Space, require_same_space
from clemkit.transforms.affine import Affine
from clemkit.transforms.base import Identity, Transform
from clemkit.transforms.bspline import BSpline
from clemkit.transforms.displacement_field import DisplacementField
from clemkit.transforms.io.atomic_write import atomic_path
from clemkit.transforms.io.frame_note import MARK, FrameNote, chain_parts
from clemkit.transforms.io.sampled_field import SampledTransform, sample_over_domain, sample_spline

__all__ = ["write_ome_zarr_scene"]

_FIELDS = "coordinateTransformations"
_VERSION = "0.6"


def write_ome_zarr_scene(
    path: str | Path,
    *,
    fixed_to_moving: Transform,
    moving_to_fixed: Transform,
    fixed_grid: Grid,
    moving_grid: Grid,
    overwrite: bool = False,
) -> dict[str, float]:
    """Write a scene with one coordinate system per space and the registration between them.

    Parameters
    ----------
    path : path
        Zarr store to make, by custom ``.ome.zarr``.
    fixed_to_moving, moving_to_fixed : Transform
        The two directions.
    fixed_grid, moving_grid : Grid
        Domains over which what is not affine is sampled.
    overwrite : bool
        Whether an existing store may be replaced.

    Returns
    -------
    dict of str to float
        ``forward_max_error_nm`` and ``inverse_max_error_nm``: measured errors of sampling, summed
        over the sampled parts.

    Raises
    ------
    SpaceMismatchError
        A grid does not lie in the source of its transform.
    """
    import zarr

    fixed, moving = fixed_to_moving.source, fixed_to_moving.target
    require_same_space(fixed, fixed_grid.space, "write_ome_zarr_scene: fixed_grid")
    require_same_space(moving, moving_grid.space, "write_ome_zarr_scene: moving_grid")
    require_same_space(moving, moving_to_fixed.source, "write_ome_zarr_scene: moving_to_fixed")
    require_same_space(fixed, moving_to_fixed.target, "write_ome_zarr_scene: moving_to_fixed")
    if fixed == moving:
        raise ArgumentError("scene: expected two different spaces; found one")
    forward = [_sampled(part, fixed_grid) for part in chain_parts(fixed_to_moving)]
    inverse = [_sampled(part, moving_grid) for part in chain_parts(moving_to_fixed)]
    with atomic_path(path, overwrite=overwrite) as temporary:
        root = zarr.open_group(str(temporary), mode="w", zarr_format=3)
        scene = {
            "coordinateSystems": [_system(space) for space in (fixed, moving)],
            "coordinateTransformations": [
                {
                    "type": "bijection",
                    "name": "registration",
                    "input": {"name": fixed.name},
                    "output": {"name": moving.name},
                    "forward": _entry(root, "forward", forward),
                    "inverse": _entry(root, "inverse", inverse),
                }
            ],
        }
        note = FrameNote("nm", _spaces(forward))
        root.attrs.update({"ome": {"version": _VERSION, "scene": scene}, MARK: note.to_json()})
    return {
        "forward_max_error_nm": sum(item.max_error_nm for item in forward),
        "inverse_max_error_nm": sum(item.max_error_nm for item in inverse),
    }


def _sampled(part: Transform, domain: Grid) -> SampledTransform:
    if isinstance(part, Affine | Identity | DisplacementField):
        return SampledTransform(transform=part, median_error_nm=0.0, max_error_nm=0.0, checked=0)
    if isinstance(part, BSpline):
        return sample_spline(part)
    if part.source == domain.space:
        return sample_over_domain(part, domain)
    raise ArgumentError(
        f"scene: expected Affine, Identity, BSpline, DisplacementField, or another transform as "
        f"the first of the chain; found {type(part).__name__} in the middle"
    )


def _spaces(items: list[SampledTransform]) -> tuple[str, ...]:
    parts = [part for item in items for part in chain_parts(item.transform)]
    return (parts[0].source.name, *(part.target.name for part in parts))


def _system(space: Space) -> dict[str, Any]:
    return {"name": space.name, "axes": _axes()}


def _axes() -> list[dict[str, str]]:
    return [{"name": name, "type": "space", "unit": "nanometer"} for name in ("z", "y", "x")]


def _entry(root: Any, direction: str, items: list[SampledTransform]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    for item in items:
        for part in chain_parts(item.transform):
            name = f"{_FIELDS}/{direction}_{len(steps)}"
            steps.append(_step(root, name, part, item))
    return steps[0] if len(steps) == 1 else {"type": "sequence", "transformations": steps}


def _step(root: Any, name: str, part: Transform, item: SampledTransform) -> dict[str, Any]:
    if isinstance(part, Identity):
        return {"type": "identity"}
    if isinstance(part, Affine):
        return {"type": "affine", "affine": part.matrix[:3].tolist()}
    assert isinstance(part, DisplacementField)  # sampling leaves nothing else
    _write_field(root, name, part, item)
    return {"type": "displacements", "path": name, "interpolation": "linear"}


def _write_field(root: Any, name: str, field: DisplacementField, item: SampledTransform) -> None:
    """Write a field as a one-level multiscale with a leading displacement axis."""
    group = root.create_group(name)
    values = field.displacement_zyx_nm.transpose(3, 0, 1, 2)
    chunks = (3, *(min(64, n) for n in values.shape[1:]))
    group.create_array("0", data=values.copy(), chunks=chunks, dimension_names=["c", "z", "y", "x"])
    component = {"name": "c", "type": "displacement", "discrete": True}
    placement = [
        {"type": "scale", "scale": [1.0, *field.grid.voxel_size_zyx_nm]},
        {"type": "translation", "translation": [0.0, *field.grid.origin_zyx_nm]},
    ]
    multiscale = {
        "name": name.rsplit("/", 1)[-1],
        "coordinateSystems": [{"name": "field", "axes": [component, *_axes()]}],
        "datasets": [
            {
                "path": "0",
                "coordinateTransformations": [
                    {
                        "type": "sequence",
                        "input": {"path": "0"},
                        "output": {"name": "field"},
                        "transformations": placement,
                    }
                ],
            }
        ],
    }
    group.attrs.update(
        {
            "ome": {"version": _VERSION, "multiscales": [multiscale]},
            "clemkit-sampling": {
                "median_error_nm": item.median_error_nm,
                "max_error_nm": item.max_error_nm,
            },
        }
    )
