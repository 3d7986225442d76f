"""What guides a deformation beside its first image: landmarks and further structures."""

from __future__ import annotations

from collections.abc import Sequence

from clemkit.geometry import Grid
from clemkit.landmarks import LandmarkPairs
from clemkit.registration.evidence import Guide
from clemkit.registration.further_structures import Structure, further_structure
from clemkit.registration.landmark_guide import LandmarkGuide, LandmarkWeight
from clemkit.registration.settings import Settings
from clemkit.registration.start import Start
from clemkit.volumes import Volume

__all__ = ["make_guides"]


def make_guides(
    landmarks: LandmarkPairs | None,
    weight: LandmarkWeight,
    structures: Sequence[Structure],
    grid: Grid,
    fixed: Volume,
    moving: Volume,
    found: Start,
    settings: Settings,
) -> tuple[LandmarkGuide | None, list[Guide]]:
    """Return the landmarks as they were asked for, and all guides, landmarks first and soft.

    Parameters
    ----------
    landmarks : LandmarkPairs or None
    weight : {"soft", "hard"}
    structures : sequence of Structure
        The first is matched by the engine itself.
    grid : Grid
        Of the fixed features.
    fixed, moving, found, settings
        As in the engine.
    """
    guides: list[Guide] = []
    pairs = None
    if landmarks is not None:
        affine = found.outcome.best.affine
        pairs = LandmarkGuide.build(landmarks, affine, grid, moving.grid, weight)
        guides.append(pairs.softened())
    guides += [
        further_structure(kind, structures[0], grid, fixed, moving, found, settings)
        for kind in structures[1:]
    ]
    return pairs, guides
