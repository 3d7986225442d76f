"""OME-Zarr 0.5 metadata of a multiscale image: scale and translation per level, nanometres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clemkit.geometry import Grid
from clemkit.volumes.volume import Role

__all__ = ["multiscale_attributes"]


def multiscale_attributes(
    name: str,
    grids: Sequence[Grid],
    *,
    with_channels: bool,
    channels: Sequence[str],
    role: Role,
) -> dict[str, Any]:
    """Return the group attributes of an OME-Zarr 0.5 image.

    Scale and translation place voxel centres [1]_: index 0 of a level lies at its translation,
    so a halved level carries a translation half a fine voxel larger.

    Parameters
    ----------
    name : str
        Name of the image.
    grids : sequence of Grid
        One per level, finest first.
    with_channels : bool
        Whether the arrays are ``(c, z, y, x)``.
    channels : sequence of str
        Channel names; may be empty.
    role : {"intensity", "labels", "mask"}
        What the numbers mean.

    References
    ----------
    .. [1] OME-NGFF 0.5, "multiscales" metadata.
    """
    axes: list[dict[str, str]] = [{"name": "c", "type": "channel"}] if with_channels else []
    axes += [{"name": a, "type": "space", "unit": "nanometer"} for a in "zyx"]
    lead = [1.0] if with_channels else []
    zero = [0.0] if with_channels else []
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [*lead, *grid.voxel_size_zyx_nm]},
                {"type": "translation", "translation": [*zero, *grid.origin_zyx_nm]},
            ],
        }
        for level, grid in enumerate(grids)
    ]
    method = "block mean" if role == "intensity" else "block mode"
    ome: dict[str, Any] = {
        "version": "0.5",
        "multiscales": [
            {
                "name": name,
                "axes": axes,
                "datasets": datasets,
                "type": method,
                "metadata": {"description": f"{method} of whole blocks, anisotropy first"},
            }
        ],
    }
    if role == "intensity" and channels:
        ome["omero"] = {"channels": [_channel(name, i) for i, name in enumerate(channels)]}
    if role == "labels":
        ome["image-label"] = {"version": "0.5"}
    own = {"role": role, "space": grids[0].space.name, "channels": list(channels)}
    return {"ome": ome, "clemkit": own}


def _channel(name: str, index: int) -> dict[str, Any]:
    colours = ("FFFFFF", "00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF")
    return {"label": name, "color": colours[index % len(colours)], "active": True}
