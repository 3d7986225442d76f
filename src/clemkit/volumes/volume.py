"""The volume: lazy voxels on a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from clemkit.errors import ArgumentError, AxisError, NotFoundError
from clemkit.geometry import Box, Grid, Triple, as_triple

__all__ = ["ArraySource", "Modality", "Role", "Volume"]

Modality: TypeAlias = Literal["lm", "xray_ct", "em"]
Role: TypeAlias = Literal["intensity", "labels", "mask"]


class ArraySource(Protocol):
    """What voxels come from: a numpy array, a zarr array, or a lazy reader.

    ``source[slices]`` must return (something that converts to) a numpy array; nothing is read
    before that.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """``(z, y, x)`` or ``(c, z, y, x)``."""
        ...

    @property
    def dtype(self) -> Any:
        """Voxel type."""
        ...

    def __getitem__(self, key: Any, /) -> Any:
        """Read a part."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Volume:
    """A lazy volume with its grid.

    Attributes
    ----------
    data : ArraySource
        ``(z, y, x)`` or ``(c, z, y, x)``.
    grid : Grid
        Where the voxels are.
    modality : {"lm", "xray_ct", "em"}
        What made the image.
    role : {"intensity", "labels", "mask"}
        What the numbers mean.
    channels : tuple of str
        Channel names; empty when unnamed.
    """

    data: ArraySource
    grid: Grid
    modality: Modality
    role: Role = "intensity"
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.data.shape)
        if len(shape) not in (3, 4):
            raise AxisError(
                f"Volume.data: expected (z, y, x) or (c, z, y, x); found {len(shape)} axes {shape}"
            )
        if shape[-3:] != self.grid.shape_zyx:
            raise ArgumentError(
                f"Volume.data: expected z, y, x shape {self.grid.shape_zyx} as the grid says; "
                f"found {shape[-3:]}"
            )
        if self.channels and len(self.channels) != self.channel_count:
            raise ArgumentError(
                f"Volume.channels: expected {self.channel_count} names; found {len(self.channels)}"
            )

    @property
    def channel_count(self) -> int:
        """Number of channels; 1 for a (z, y, x) volume."""
        return int(self.data.shape[0]) if len(self.data.shape) == 4 else 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """Voxel type."""
        return np.dtype(self.data.dtype)

    def read(self, box: Box | None = None, channel: int = 0) -> np.ndarray[Any, Any]:
        """Read one channel, whole or inside *box*, as a (z, y, x) numpy array."""
        where = (box or Box((0, 0, 0), self.grid.shape_zyx)).slices
        if len(self.data.shape) == 4:
            return np.asarray(self.data[(channel, *where)])
        if channel != 0:
            raise NotFoundError(f"channel {channel}: expected 0; the volume has one channel")
        return np.asarray(self.data[where])

    def channel_index(self, channel: int | str) -> int:
        """Return the index of a channel given by number or name.

        Raises
        ------
        NotFoundError
            There is no such channel.
        """
        if isinstance(channel, str) and channel in self.channels:
            return self.channels.index(channel)
        try:
            index = int(channel)
        except ValueError:
            names = ", ".join(self.channels) or "unnamed"
            raise NotFoundError(
                f"channel {channel!r}: expected a number below {self.channel_count} or one of: "
                f"{names}"
            ) from None
        if not 0 <= index < self.channel_count:
            raise NotFoundError(f"channel {index}: expected 0 to {self.channel_count - 1}")
        return index

    def with_voxel_size(self, voxel_size_zyx_nm: Triple) -> Volume:
        """Return the same voxels with another voxel size; the origin stays."""
        voxel = as_triple(voxel_size_zyx_nm, "voxel_size_zyx_nm")
        return replace(self, grid=replace(self.grid, voxel_size_zyx_nm=voxel))
