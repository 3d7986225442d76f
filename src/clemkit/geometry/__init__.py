"""Where things are: spaces, grids, boxes, points and length units."""

from clemkit.geometry.arrays import FloatArray, IntArray, Triple, as_points, as_triple
from clemkit.geometry.grid import Box, Grid
from clemkit.geometry.space import Space, require_same_space
from clemkit.geometry.units import from_nanometres, nanometres_per, to_nanometres

__all__ = [
    "Box",
    "FloatArray",
    "Grid",
    "IntArray",
    "Space",
    "Triple",
    "as_points",
    "as_triple",
    "from_nanometres",
    "nanometres_per",
    "require_same_space",
    "to_nanometres",
]
