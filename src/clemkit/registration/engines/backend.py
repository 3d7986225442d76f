"""One interface for engines that refine a known start: two images in, one transform out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from clemkit.errors import ArgumentError, DataError
from clemkit.geometry import Grid, require_same_space
from clemkit.landmarks import LandmarkPairs
from clemkit.transforms import Transform

__all__ = ["Metric", "RefinementBackend", "RefinementSettings", "check_problem"]

FloatImage = NDArray[np.float32]
Metric = Literal["correlation", "mutual_information"]
_LEAST_VOXELS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RefinementSettings:
    """What a user may change; the same for every backend.

    Attributes
    ----------
    metric : {"correlation", "mutual_information"}
        Correlation for matched contrast, mutual information for images of different kinds.
    levels : int
        Resolution levels, each twice as coarse as the next.
    affine_iterations, deformable_iterations : int
        Iterations at each level; 0 leaves the stage out.
    samples : int
        Random positions of each iteration (elastix); drawn anew every time.
    control_spacing_nm : float or None
        Finest control-point spacing, or the smoothness of a dense field; default 16 voxels.
    bending_weight : float
        Weight of the bending energy beside the image metric (elastix).
    landmark_weight_per_um : float
        Weight of the mean landmark distance beside the image metric (elastix).
    step_nm : float or None
        Longest step of an iteration; default the mean voxel size of the fixed grid (elastix).
    threads : int
        Threads of the engine.
    seed : int
        Seed of the random positions.
    """

    metric: Metric = "correlation"
    levels: int = 4
    affine_iterations: int = 250
    deformable_iterations: int = 500
    samples: int = 4000
    control_spacing_nm: float | None = None
    bending_weight: float = 0.0
    landmark_weight_per_um: float = 0.1
    step_nm: float | None = None
    threads: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("levels", "samples", "threads"):
            if getattr(self, name) < 1:
                raise ArgumentError(
                    f"RefinementSettings.{name}: expected at least 1; found {getattr(self, name)}"
                )
        if min(self.affine_iterations, self.deformable_iterations) < 0 or not (
            self.affine_iterations or self.deformable_iterations
        ):
            raise ArgumentError(
                "RefinementSettings: expected iterations >= 0 and one stage with some; found "
                f"{self.affine_iterations} affine and {self.deformable_iterations} deformable"
            )
        for name in ("control_spacing_nm", "step_nm"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ArgumentError(f"RefinementSettings.{name}: expected > 0; found {value}")
        for name in ("bending_weight", "landmark_weight_per_um"):
            if not getattr(self, name) >= 0:
                raise ArgumentError(
                    f"RefinementSettings.{name}: expected >= 0; found {getattr(self, name)}"
                )


class RefinementBackend(Protocol):
    """An engine that improves a start by comparing two images."""

    @property
    def name(self) -> str:
        """Short name for records and messages."""
        ...

    def refine(
        self,
        fixed_image: FloatImage,
        fixed_grid: Grid,
        moving_image: FloatImage,
        moving_grid: Grid,
        start: Transform,
        *,
        mask: NDArray[np.bool_] | None = None,
        landmarks: LandmarkPairs | None = None,
        settings: RefinementSettings | None = None,
    ) -> Transform:
        """Return fixed → moving, improved.

        Parameters
        ----------
        fixed_image, moving_image : (z, y, x) float32 arrays
            Images of like contrast (or any, for mutual information).
        fixed_grid, moving_grid : Grid
            Their grids, in two spaces.
        start : Transform
            Fixed → moving, close enough that the structures overlap.
        mask : (z, y, x) bool array, optional
            Where the fixed image counts.
        landmarks : LandmarkPairs, optional
            Pairs that the result should honour.
        settings : RefinementSettings, optional

        Raises
        ------
        DataError
            An image is constant or not finite.
        NotConvergedError
            The engine failed or did not move.
        MissingExtraError
            The engine is not installed.
        """
        ...


def check_problem(
    fixed_image: FloatImage,
    fixed_grid: Grid,
    moving_image: FloatImage,
    moving_grid: Grid,
    start: Transform,
    mask: NDArray[np.bool_] | None,
    landmarks: LandmarkPairs | None,
) -> None:
    """Raise when a backend could not, or would silently not, work on this.

    Raises
    ------
    DataError
        An image or the part under the mask is constant or not finite.
    ArgumentError, SpaceMismatchError
        Shapes, spaces or sizes do not fit together.
    """
    require_same_space(fixed_grid.space, start.source, "refinement start")
    require_same_space(moving_grid.space, start.target, "refinement start")
    for name, image, grid in (
        ("fixed image", fixed_image, fixed_grid),
        ("moving image", moving_image, moving_grid),
    ):
        if image.shape != grid.shape_zyx:
            raise ArgumentError(
                f"{name}: expected shape {grid.shape_zyx} as its grid says; found {image.shape}"
            )
        if min(image.shape) < _LEAST_VOXELS:
            raise ArgumentError(
                f"{name}: expected at least {_LEAST_VOXELS} voxels along each axis; found "
                f"{image.shape}; ITK engines cannot refine single sections, use clemkit's engine"
            )
        _require_structure(image, name)
    if mask is not None:
        if mask.shape != fixed_image.shape:
            raise ArgumentError(f"mask: expected shape {fixed_image.shape}; found {mask.shape}")
        if not np.any(mask):
            raise DataError("mask: expected some voxels inside; found none")
        _require_structure(fixed_image[mask], "fixed image inside the mask")
    if landmarks is not None:
        require_same_space(fixed_grid.space, landmarks.fixed.space, "landmarks")
        require_same_space(moving_grid.space, landmarks.moving.space, "landmarks")


def _require_structure(image: FloatImage, name: str) -> None:
    low, high = float(np.min(image)), float(np.max(image))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"{name}: expected finite values; found NaN or infinity")
    if low == high:
        raise DataError(
            f"{name}: expected an image with structure; found {low:g} everywhere; "
            "check the file and the channel"
        )
