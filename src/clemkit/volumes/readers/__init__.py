"""Readers: one module per format, opened through ``open_volume`` and ``probe``."""

from clemkit.volumes.readers.info import VolumeInfo
from clemkit.volumes.readers.opening import open_volume, probe

__all__ = ["VolumeInfo", "open_volume", "probe"]
