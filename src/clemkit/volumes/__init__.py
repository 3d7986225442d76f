"""Volumes: lazy voxels on a grid, readers, writers and pyramids."""

from clemkit.volumes.readers import VolumeInfo, open_volume, probe
from clemkit.volumes.volume import ArraySource, Modality, Role, Volume

__all__ = ["ArraySource", "Modality", "Role", "Volume", "VolumeInfo", "open_volume", "probe"]
