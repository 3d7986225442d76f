"""Words of OME and words of the model for the same things."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["IMMERSIONS", "METHODS", "PIXEL_TYPES", "UNITS"]

PIXEL_TYPES: Final[Mapping[str, str]] = {
    "bit": "bit", "uint8": "uint8", "int8": "int8", "uint16": "uint16", "int16": "int16",
    "uint32": "uint32", "int32": "int32", "float32": "float", "float64": "double",
    "complex64": "complex",
}  # fmt: skip
IMMERSIONS: Final[Mapping[str, str]] = {
    "air": "Air", "water": "Water", "oil": "Oil", "glycerol": "Glycerol",
}  # fmt: skip
UNITS: Final[Mapping[str, str]] = {
    "nm": "nm", "um": "µm", "mm": "mm", "cm": "cm", "m": "m", "angstrom": "Å",
    "s": "s", "ms": "ms", "us": "µs", "ns": "ns", "min": "min", "h": "h", "d": "d",
}  # fmt: skip
# modes of a channel that say what the method is; of two for one mode, the last is read
METHODS: Final[Mapping[str, str]] = {
    "widefield_fluorescence": "WideField", "bright_field": "BrightField",
    "confocal": "LaserScanningConfocalMicroscopy", "spinning_disk": "SpinningDiskConfocal",
    "two_photon": "MultiPhotonMicroscopy", "multi_photon": "MultiPhotonMicroscopy",
    "sim": "StructuredIllumination", "palm": "PALM", "storm": "STORM",
    "sted": "STED", "light_sheet": "SPIM",
}  # fmt: skip
