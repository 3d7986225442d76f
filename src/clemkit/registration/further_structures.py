"""Several kinds of structures at once: each with its own labels, channel, model and noise.

The first finds the pose; in the deformation all of them pull, so that one fills the gaps of
another.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import FloatArray, Grid
from clemkit.registration.evidence import Evidence
from clemkit.registration.features import FixedFeatures, fixed_features
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.intensity import gaussian_blur_nm
from clemkit.registration.matching import compare
from clemkit.registration.model_fit import ModelEvidence
from clemkit.registration.pull import AffineMap, FloatImage, Pull, gradient_nm, resample_to
from clemkit.registration.refine import MovingCrop, crop_moving, light_model
from clemkit.registration.scales import blur_nm, crop_voxel_nm
from clemkit.registration.settings import Settings
from clemkit.registration.start import Start
from clemkit.registration.structures import Structures, cut_pieces
from clemkit.volumes import Volume

__all__ = ["FurtherStructure", "Structure", "further_structure", "require_structures"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Structure:
    """One kind of structure that both volumes show.

    Attributes
    ----------
    labels : Volume
        Instances or a mask in the fixed space.
    channel : int or str or None
        Channel of the moving volume that shows it; None where *moving_labels* are given.
    moving_labels : Volume or None
        Its segmentation in the moving space.
    weight : float
        Of its evidence, relative to the others.
    """

    labels: Volume
    channel: int | str | None = None
    moving_labels: Volume | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.weight) and self.weight > 0):
            raise ArgumentError(f"Structure.weight: expected a number > 0; found {self.weight}")
        if self.channel is not None and self.moving_labels is not None:
            raise ArgumentError(
                "Structure: expected a channel or moving labels; found both; leave one out"
            )


@dataclass(eq=False)
class _ImageEvidence:
    """Normalised images of one structure on a lattice."""

    pull: Pull
    template: FloatImage
    lattice: FfdLattice
    share: float
    gradient: FloatImage = field(init=False)
    last: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.gradient = gradient_nm(self.template, self.lattice.grid)

    def evaluate(self, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
        match = compare(self.pull, self.template, self.gradient, self.lattice.field(coefficients))
        weight = (match.weight * self.share).astype(np.float32)
        normal = self.lattice.normal_matrix(match.gradient, weight).toarray()
        self.last = -self.lattice.project(weight * match.residual * match.gradient).ravel()
        return normal, self.last

    def pull_at(self, coefficients: FloatArray) -> FloatArray:
        return self.last


@dataclass(frozen=True, slots=True, eq=False)
class FurtherStructure:
    """A structure beside the first, around one start.

    Attributes
    ----------
    features : FixedFeatures
        On the grid of the first structure.
    moving : MovingCrop
    affine : AffineMap
    psf_zyx_nm : (3,) array
        Blur of its moving image.
    weight : float
        Relative to the first structure.
    segmented : bool
        Whether the moving side is a segmentation.
    """

    features: FixedFeatures
    moving: MovingCrop
    affine: AffineMap
    psf_zyx_nm: FloatArray
    weight: float
    segmented: bool

    def on_images(self, lattice: FfdLattice, blur_nm: float, blur_zyx_nm: FloatArray) -> Evidence:
        """Return its evidence on normalised images."""
        voxel = np.array(lattice.grid.voxel_size_zyx_nm)
        template, grid = self.features.template(max(float(voxel[1:].min()) / 2, 1e-9),
                                                self.psf_zyx_nm)  # fmt: skip
        soft = gaussian_blur_nm(template, blur_nm, grid.voxel_size_zyx_nm)
        size = self.moving.grid.voxel_size_zyx_nm
        image = gaussian_blur_nm(self.moving.normal, blur_nm, size)
        reach = 2.0 * np.hypot(blur_nm, float(np.mean(self.psf_zyx_nm)))
        if self.segmented:  # outlines of two segmentations differ over a structure's width
            reach = max(reach, 2.5 * self.features.radius_nm)
        volume = float(np.prod(np.maximum(reach / voxel, 1.0)))
        return _ImageEvidence(
            Pull(image, self.moving.grid, lattice.grid, self.affine),
            resample_to(soft, grid, lattice.grid),
            lattice,
            self.weight / volume,
        )

    def on_model(self, lattice: FfdLattice, structures: Structures | None) -> Evidence:
        """Return its evidence under a model of its own light, or on normalised images."""
        if structures is None or self.segmented or self.features.labels is None:
            blur = max(1.25 * float(self.psf_zyx_nm[1:].max()), 0.5 * self.features.radius_nm)
            return self.on_images(lattice, blur, self.psf_zyx_nm)
        ratio = np.array(structures.grid.voxel_size_zyx_nm) / np.array(
            self.features.grid.voxel_size_zyx_nm
        )
        z, y, x = (max(round(float(r)), 1) for r in ratio)
        piece = 6.5 * self.features.radius_nm
        own = cut_pieces(self.features.labels, self.features.grid, piece, (z, y, x))
        pull, model = light_model(
            own,
            self.moving,
            self.affine,
            self.psf_zyx_nm,
            lattice.spacing_zyx_nm[1],
            self.features.normalisation_nm,
        )
        return ModelEvidence(pull, model, lattice, share=self.weight)


def require_structures(
    structures: tuple[Structure, ...],
    fixed_labels: Volume | None,
    moving_labels: Volume | None,
    moving_channel: int | str | None,
) -> None:
    """Refuse structures beside labels or a channel, and structures without a moving side.

    Raises
    ------
    ArgumentError
    """
    if not structures:
        return
    if fixed_labels is not None or moving_labels is not None or moving_channel is not None:
        raise ArgumentError(
            "register: expected structures, or fixed_labels with moving_labels or moving_channel; "
            "found both; put all of them into structures"
        )
    for number, one in enumerate(structures):
        if len(structures) > 1 and one.channel is None and one.moving_labels is None:
            raise ArgumentError(
                f"structures[{number}]: expected the moving channel or moving labels that show "
                "it; found neither"
            )


def further_structure(
    structure: Structure,
    first: Structure,
    grid: Grid,
    fixed: Volume,
    moving: Volume,
    found: Start,
    settings: Settings,
) -> FurtherStructure:
    """Read one further structure around a start.

    Parameters
    ----------
    structure, first : Structure
    grid : Grid
        Of the first structure's features.
    fixed, moving : Volume
    found : Start
    settings : Settings
    """
    own = fixed_features(fixed, structure.labels, 0, None, crop=False)
    features = _on_grid(own, grid)
    labels = structure.moving_labels
    channel = 0 if structure.channel is None else moving.channel_index(structure.channel)
    psf = blur_nm(moving, settings)
    if labels is not None:
        psf = 0.6 * np.array(labels.grid.voxel_size_zyx_nm)
    crop = crop_moving(
        moving,
        labels,
        channel,
        found.outcome.best,
        grid,
        voxel_nm=crop_voxel_nm(features, moving, labels),
        normalisation_nm=features.normalisation_nm,
    )
    return FurtherStructure(
        features,
        crop,
        found.outcome.best.affine,
        psf,
        structure.weight / first.weight,
        labels is not None,
    )


def _on_grid(features: FixedFeatures, grid: Grid) -> FixedFeatures:
    """Return labels at the nearest voxels of another grid of their space."""
    if features.grid == grid or features.labels is None:
        return features
    index = [
        np.clip(
            np.rint(
                (grid.origin_zyx_nm[a] + np.arange(grid.shape_zyx[a]) * grid.voxel_size_zyx_nm[a]
                 - features.grid.origin_zyx_nm[a]) / features.grid.voxel_size_zyx_nm[a]
            ).astype(int), -1, features.grid.shape_zyx[a],
        )
        for a in range(3)
    ]  # fmt: skip
    padded = np.pad(features.labels, 1)
    labels = padded[np.ix_(*(i + 1 for i in index))]
    return FixedFeatures(
        labels, (labels > 0).astype(np.float32), grid, features.radius_nm, features.notes
    )
