"""Hand-placed landmarks that guide a registration of images: softly, or as constraints.

A pair says where a fixed point lies in the moving volume, within a standard deviation. Soft pairs
add to the evidence of the images as Gaussian terms; hard ones hold within a fraction of a
nanometre, as far as the lattice can bend between them. None is dropped: pairs that contradict the
images are named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.linalg as sl

from clemkit.errors import ArgumentError, RegistrationError
from clemkit.geometry import FloatArray, Grid, require_same_space
from clemkit.landmarks import LandmarkPairs
from clemkit.registration.factor import positive_factor
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.model_fit import ModelFit
from clemkit.registration.pull import AffineMap
from clemkit.registration.structures import Structures
from clemkit.transforms import Affine, fit_affine, fit_similarity

__all__ = [
    "LandmarkGuide",
    "LandmarkTerm",
    "LandmarkWeight",
    "check_pairs",
    "landmark_start",
]

LandmarkWeight: TypeAlias = Literal["soft", "hard"]
_HARD_NM = 0.1
_ODD = 3.5  # robust standard deviations
_HALF_CHI = 1.538  # median length of a normal vector in three dimensions


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkTerm:
    """Landmarks on one lattice: a quadratic in its coefficients.

    Attributes
    ----------
    rows : (N, control points) array
    wanted_zyx_nm : (N, 3) array
        Displacement each pair asks for, fixed frame.
    precision : (N, 3, 3) array
        Inverse covariance, per nm².
    tail : float
        Beyond so many standard deviations a pair counts less; infinite for a Gaussian.
    """

    rows: FloatArray
    wanted_zyx_nm: FloatArray
    precision: FloatArray
    tail: float = np.inf

    def _weighted(self, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
        gap = self.wanted_zyx_nm - self.rows @ coefficients.reshape(3, -1).T
        square = np.einsum("ni,nij,nj->n", gap, self.precision, gap)
        return gap, self.precision / (1.0 + square / self.tail**2)[:, None, None]

    def evaluate(self, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return matrix and pull; see :class:`~clemkit.registration.evidence.Evidence`."""
        gap, precision = self._weighted(coefficients)
        blocks = [
            [(self.rows * precision[:, a, b, None]).T @ self.rows for b in range(3)]
            for a in range(3)
        ]
        return np.block(blocks), self._pull(gap, precision)

    def pull_at(self, coefficients: FloatArray) -> FloatArray:
        """Return the pull alone."""
        return self._pull(*self._weighted(coefficients))

    def _pull(self, gap: FloatArray, precision: FloatArray) -> FloatArray:
        force = np.einsum("nij,nj->ni", precision, gap)
        return (self.rows.T @ force).T.ravel()


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkGuide:
    """Landmarks in the fixed frame of a start.

    Attributes
    ----------
    pairs : LandmarkPairs
        Those inside the fixed field.
    affine : AffineMap
        Start, fixed → moving.
    covariance_nm2 : (N, 3, 3) array
        Of a soft pair, fixed frame.
    weight : {"soft", "hard"}
    outside : tuple of str
        Names of pairs that lie outside the fixed field and say nothing.
    """

    pairs: LandmarkPairs
    affine: AffineMap
    covariance_nm2: FloatArray
    weight: LandmarkWeight
    outside: tuple[str, ...] = ()

    @classmethod
    def build(
        cls,
        pairs: LandmarkPairs,
        affine: AffineMap,
        fixed: Grid,
        moving: Grid,
        weight: LandmarkWeight,
    ) -> LandmarkGuide:
        """Return the guide; pairs without a deviation get one moving voxel.

        Parameters
        ----------
        pairs : LandmarkPairs
        affine : AffineMap
        fixed, moving : Grid
        weight : {"soft", "hard"}
        """
        points = pairs.fixed.points_zyx_nm
        corners = fixed.corners()
        inside = ((points >= corners.min(axis=0)) & (points <= corners.max(axis=0))).all(axis=1)
        kept = pairs.select(inside)
        inverse = np.linalg.inv(affine.linear)
        voxel = np.array(moving.voxel_size_zyx_nm)
        near, far = kept.moving.sigma_zyx_nm, kept.fixed.sigma_zyx_nm
        if near is None:
            near = np.tile(np.zeros(3) if far is not None else voxel, (len(kept), 1))
        spread = np.einsum("ij,nj,kj->nik", inverse, near**2, inverse)
        if far is not None:
            spread = spread + far[:, :, None] ** 2 * np.eye(3)
        spread = spread + 1e-2 * np.eye(3)  # nobody clicks closer than this
        names = tuple(np.array(pairs.ids, dtype=object)[~inside])
        return cls(kept, affine, spread, weight, names)

    @property
    def wanted_zyx_nm(self) -> FloatArray:
        """Displacement each pair asks for, fixed frame ``(N, 3)``."""
        inverse = np.linalg.inv(self.affine.linear)
        moving = self.pairs.moving.points_zyx_nm - self.affine.translation_zyx_nm
        return np.asarray(moving @ inverse.T - self.pairs.fixed.points_zyx_nm)

    def softened(self) -> LandmarkGuide:
        """Return the same pairs as soft ones."""
        return replace(self, weight="soft")

    def _term(self, lattice: FfdLattice, tail: float) -> LandmarkTerm:
        covariance = self.covariance_nm2
        if self.weight == "hard":
            covariance = np.broadcast_to(_HARD_NM**2 * np.eye(3), covariance.shape)
        precision = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
        for axis, n in enumerate(lattice.grid.shape_zyx):
            if n == 1:  # nothing moves across a single section
                precision[:, axis, :] = precision[:, :, axis] = 0.0
        rows = lattice.rows(self.pairs.fixed.points_zyx_nm)
        return LandmarkTerm(rows, self.wanted_zyx_nm, precision, tail)

    def on_images(
        self, lattice: FfdLattice, blur_nm: float, blur_zyx_nm: FloatArray
    ) -> LandmarkTerm:
        """Return the pairs as soft ones with a heavy tail, while places are still sought."""
        return self.softened()._term(lattice, 8.0)

    def on_model(self, lattice: FfdLattice, structures: Structures | None) -> LandmarkTerm:
        """Return the pairs as they were asked for."""
        return self._term(lattice, np.inf)

    def odd(self, fit: ModelFit) -> dict[str, float]:
        """Return pairs that contradict the images, with their distance in robust deviations.

        The images alone, linearised at a fit with soft pairs, predict every pair; its distance is
        measured in their common covariance, and in the typical distance of all pairs where that
        is larger.
        """
        if len(self.pairs) == 0:
            return {}
        lattice = fit.lattice
        matrix, pull = self.softened()._term(lattice, np.inf).evaluate(fit.coefficients)
        coefficients = fit.coefficients.ravel()
        alone = fit.normal - matrix + fit.stiffness * lattice.bending.toarray()
        # matrix @ c + pull is what the pairs ask for altogether
        data = fit.normal @ coefficients + fit.pull - (matrix @ coefficients + pull)
        alone[np.diag_indices_from(alone)] += 1e-6 * float(np.mean(np.diag(alone)))
        factor = positive_factor(alone)
        found = sl.cho_solve(factor, data).reshape(fit.coefficients.shape)
        rows = lattice.rows(self.pairs.fixed.points_zyx_nm)
        gap = self.wanted_zyx_nm - rows @ found.reshape(3, -1).T
        lengths = np.zeros(len(gap))
        for k, row in enumerate(rows):
            spread = np.kron(np.eye(3), row)
            predicted = spread @ sl.cho_solve(factor, spread.T)
            total = predicted + self.covariance_nm2[k]
            lengths[k] = np.sqrt(gap[k] @ np.linalg.solve(total, gap[k]))
        typical = max(float(np.median(lengths)) / _HALF_CHI, 1.0)
        far = lengths / typical
        return {name: float(v) for name, v in zip(self.pairs.ids, far, strict=True) if v > _ODD}

    def blamed(self, error: RegistrationError, odd: Mapping[str, float]) -> RegistrationError:
        """Return the error of a map that folds, with the pairs that may have folded it."""
        if self.weight == "soft" and not odd:
            return error
        named = f": {_named(odd)} contradict the images" if odd else ""
        return RegistrationError(
            f"landmarks: expected a map without folds through {len(self.pairs)} {self.weight} "
            f"landmarks; found that it folds{named}; correct or remove them"
            + (", or pass them as soft ones" if self.weight == "hard" else "")
        )

    def report(self, fit: ModelFit, odd: Mapping[str, float]) -> tuple[dict[str, Any], list[str]]:
        """Return the residuals at the pairs for the record, and warnings.

        Parameters
        ----------
        fit : ModelFit
            The final one.
        odd : mapping
            From :meth:`odd`.
        """
        rows = fit.lattice.rows(self.pairs.fixed.points_zyx_nm)
        gap = self.wanted_zyx_nm - rows @ fit.coefficients.reshape(3, -1).T
        flat = [a for a, n in enumerate(fit.lattice.grid.shape_zyx) if n == 1]
        gap[:, flat] = 0.0
        sizes = np.linalg.norm(gap @ self.affine.linear.T, axis=1)
        warnings = []
        if self.outside:
            warnings.append(
                f"landmarks outside the fixed field say nothing: {', '.join(self.outside)}"
            )
        if odd:
            warnings.append(
                f"landmarks that contradict the images: {_named(odd)}; they were kept; check them"
            )
        if self.weight == "hard" and len(sizes) and sizes.max() > 1.0:
            worst = self.pairs.ids[int(sizes.argmax())]
            warnings.append(
                f"the deformation cannot pass through all hard landmarks: {worst} is missed by "
                f"{sizes.max():.0f} nm; two may be too close for the control spacing of "
                f"{fit.lattice.spacing_zyx_nm[1]:.0f} nm, or one is wrong"
            )
        record = {
            "weight": self.weight,
            "residual_nm": {k: float(v) for k, v in zip(self.pairs.ids, sizes, strict=True)},
            "contradict_the_images": dict(odd),
            "outside": list(self.outside),
        }
        return record, warnings


def _named(odd: Mapping[str, float]) -> str:
    return ", ".join(f"{k} ({v:.1f} standard deviations)" for k, v in odd.items())


def check_pairs(pairs: LandmarkPairs, weight: str, fixed: Grid, moving: Grid) -> None:
    """Refuse pairs of other spaces, or an unknown weight.

    Raises
    ------
    SpaceMismatchError, ArgumentError
    """
    if weight not in ("soft", "hard"):
        raise ArgumentError(f"landmark_weight: expected soft or hard; found {weight!r}")
    require_same_space(fixed.space, pairs.fixed.space, "landmarks, fixed side")
    require_same_space(moving.space, pairs.moving.space, "landmarks, moving side")


def landmark_start(
    pairs: LandmarkPairs, fixed: Grid, moving: Grid, *, allow_reflection: bool
) -> Affine | None:
    """Return a start from at least four pairs that span a volume and agree, else None.

    Similarity below six pairs, affine from there on. They agree when the root mean square
    residual is below a twentieth of the fixed field.
    """
    flat = min(fixed.shape_zyx) == 1
    if len(pairs) < 4 or flat:
        return None
    points, targets = pairs.fixed.points_zyx_nm, pairs.moving.points_zyx_nm
    singular = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if singular[2] < 0.05 * singular[0]:
        return None
    try:
        found = (fit_affine if len(pairs) >= 6 else fit_similarity)(
            points,
            targets,
            source=fixed.space,
            target=moving.space,
            allow_reflection=allow_reflection,
        )
    except RegistrationError:
        return None
    rms = np.sqrt(((found.apply_points(points) - targets) ** 2).sum(axis=1).mean())
    return found if rms < 0.05 * float(fixed.extent_zyx_nm.max()) else None
