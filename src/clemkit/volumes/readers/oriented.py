"""What MetaImage, NRRD and NIfTI have in common: directions, origins, plain or packed voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import AxisError, FormatError, UnitError
from clemkit.geometry import FloatArray, Triple, to_nanometres
from clemkit.volumes.readers.info import Found, VolumeInfo, json_ready
from clemkit.volumes.readers.scratch import inflate, scratch_file
from clemkit.volumes.readers.voxel_size import complete
from clemkit.volumes.source import RawSource, arrange

__all__ = ["OrientedHeader", "oriented_volume", "packed_voxels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrientedHeader:
    """A medical image header, axes in the file's order x, y, z.

    Attributes
    ----------
    shape_xyz : tuple of int
        Two or three extents, fastest first.
    samples : int
        Values per voxel, stored fastest (or slowest, see *samples_last*).
    spacing_xyz : tuple of float
        Distance of voxel centres in *unit*; 0 where not stated.
    origin_xyz : tuple of float
        Centre of voxel 0 in the patient frame of ITK (left, posterior, superior).
    direction : (3, 3) array
        Columns are the axes' unit vectors in that frame.
    unit : str or None
        Unit of spacing and origin.
    """

    format: str
    shape_xyz: tuple[int, ...]
    dtype: np.dtype[Any]
    spacing_xyz: tuple[float, ...]
    origin_xyz: tuple[float, ...]
    direction: FloatArray
    unit: str | None
    samples: int = 1
    samples_last: bool = False
    times: int = 1
    metadata: dict[str, Any]
    warnings: tuple[str, ...] = ()


def oriented_volume(path: Path, header: OrientedHeader, raw: RawSource, axes: str) -> Found:
    """Describe the volume behind a header.

    Voxels stay in the order of the file. An origin is kept only where the axes lie along the
    frame's; a rotated or mirrored frame leaves a warning, because a grid cannot hold it.
    """
    warnings = list(header.warnings)
    count = len(header.shape_xyz)
    spacing = np.array([*header.spacing_xyz, *[0.0] * (3 - count)], float)
    offset = np.array([*header.origin_xyz, *[0.0] * (3 - count)], float)
    if not np.allclose(header.direction, np.eye(3), atol=1e-6):
        turned = "mirrored" if np.linalg.det(header.direction) < 0 else "rotated"
        warnings.append(
            f"the image is {turned} in its frame; voxels keep the file's order and the origin and "
            "direction stay in the metadata: apply them as an affine"
        )
        offset = np.zeros(3)
    with np.errstate(divide="ignore", invalid="ignore"):
        in_voxels = np.where(spacing > 0, offset / spacing, 0.0)
    sizes: dict[str, float] = {}
    if header.unit is not None:
        try:
            factor = to_nanometres(1.0, header.unit)
            pairs = zip("xyz"[:count], spacing, strict=False)
            sizes = {a: float(s) * factor for a, s in pairs if 0 < s < np.inf}
        except UnitError:
            warnings.append(f"spacing in {header.unit!r} is not a length: no size")
    elif np.any(spacing > 0):
        warnings.append(f"spacing {header.spacing_xyz} (x, y, z) has no unit: no size")
    extent = dict(zip(axes, raw.shape, strict=True))
    extent.setdefault("z", 1)
    if extent.get("t") == 1:
        del extent["t"]
    order = "".join(a for a in "tczyx" if a in extent)
    voxel, remarks = complete(sizes, extent["z"])
    origin: Triple = (0.0, 0.0, 0.0)
    relative = (float(in_voxels[2]), float(in_voxels[1]), float(in_voxels[0]))
    if voxel is not None:
        z, y, x = (r * v for r, v in zip(relative, voxel, strict=True))
        origin = (z, y, x)
    metadata = dict(header.metadata)
    if not np.allclose(header.direction, np.eye(3), atol=1e-6):
        metadata |= {"direction_xyz": header.direction, "origin_xyz": list(header.origin_xyz)}
    is_rgb = header.samples in (3, 4)
    info = VolumeInfo(
        path=path,
        format=header.format,
        shape=tuple(extent[a] for a in order),
        axes=order,
        dtype=str(header.dtype.newbyteorder("=")),
        voxel_size_zyx_nm=voxel,
        origin_zyx_nm=origin,
        unit=header.unit,
        is_rgb=is_rgb,
        channels=("red", "green", "blue", "alpha")[: header.samples] if is_rgb else (),
        metadata=json_ready(metadata),
        warnings=(*warnings, *remarks),
    )

    def source(time: int) -> Any:
        raw.check()
        return arrange(raw, axes, time)

    return Found(info=info, source=source, origin_in_voxels_zyx=relative)


def packed_voxels(
    path: Path, offset: int, encoding: str, shape: Sequence[int], dtype: np.dtype[Any]
) -> RawSource:
    """Return the voxels of a file that are stored plainly or as a gzip or zlib stream.

    Raises
    ------
    FormatError
        The encoding is not supported.
    AxisError
        The array has no voxels.
    """
    if any(n < 1 for n in shape):
        raise AxisError(f"{path}: expected a positive extent along every axis; found {shape}")
    if encoding == "raw":
        return RawSource(path, tuple(shape), dtype, offset)
    if encoding == "gzip":
        return RawSource(_Packed(path, offset), tuple(shape), dtype)
    raise FormatError(path, f"expected raw or gzip voxels; found {encoding!r}; save it again")


@dataclass(frozen=True, slots=True)
class _Packed:
    path: Path
    offset: int

    def __call__(self) -> Path:
        key = f"{self.path.name}@{self.offset}"
        return scratch_file(self.path, key, lambda: inflate(self.path, self.offset))
