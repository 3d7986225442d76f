"""Grey volumes to labels by classical methods."""

from clemkit.segmentation.structures import Polarity, segment_structures

__all__ = ["Polarity", "segment_structures"]
