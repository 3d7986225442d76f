"""From the sizes that a file states to a complete voxel size, or to none."""

from __future__ import annotations

from collections.abc import Mapping

from clemkit.geometry import Triple

__all__ = ["complete"]


def complete(size_nm: Mapping[str, float], depth: int) -> tuple[Triple | None, list[str]]:
    """Return a voxel size where one can be had, and remarks on how.

    Parameters
    ----------
    size_nm : mapping
        Stated sizes along ``"z"``, ``"y"``, ``"x"``.
    depth : int
        Number of planes. A single plane without a z size takes the mean of y and x; a stack
        without one has no voxel size.

    Returns
    -------
    tuple
        Voxel size z, y, x in nanometres or None, and remarks.
    """
    if "y" not in size_nm or "x" not in size_nm:
        return None, ["the file does not state its voxel size"]
    y, x = size_nm["y"], size_nm["x"]
    if "z" in size_nm:
        return (size_nm["z"], y, x), []
    if depth == 1:
        z = (y + x) / 2
        return (z, y, x), [f"a single plane without a z size: {z:g} nm, the mean of y and x"]
    return None, [f"the file states y = {y:g} nm and x = {x:g} nm, but no z size"]
