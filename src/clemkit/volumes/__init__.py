"""Volumes: lazy voxels on a grid, readers, writers and pyramids."""

from clemkit.volumes.pyramid import Pyramid
from clemkit.volumes.readers import VolumeInfo, open_volume, probe
from clemkit.volumes.volume import ArraySource, Modality, Role, Volume
from clemkit.volumes.writers import create_ome_zarr, write_ome_tiff, write_ome_zarr

__all__ = [
    "ArraySource",
    "Modality",
    "Pyramid",
    "Role",
    "Volume",
    "VolumeInfo",
    "create_ome_zarr",
    "open_volume",
    "probe",
    "write_ome_tiff",
    "write_ome_zarr",
]
