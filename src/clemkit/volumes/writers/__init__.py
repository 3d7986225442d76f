"""Writers: OME-Zarr and OME-TIFF."""

from clemkit.volumes.writers.ome_tiff import write_ome_tiff
from clemkit.volumes.writers.ome_zarr import create_ome_zarr, write_ome_zarr

__all__ = ["create_ome_zarr", "write_ome_tiff", "write_ome_zarr"]
