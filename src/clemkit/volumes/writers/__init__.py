"""Writers: OME-Zarr and OME-TIFF."""
