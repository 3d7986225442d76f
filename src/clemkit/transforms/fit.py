"""Least-squares affine maps between corresponding points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import RegistrationError
from clemkit.geometry import FloatArray, Space
from clemkit.transforms.affine import Affine
from clemkit.transforms.correspondences import (
    Correspondences,
    check_correspondences,
    check_spread,
)

__all__ = [
    "ReflectionEvidence",
    "fit_affine",
    "fit_rigid",
    "fit_similarity",
    "fit_translation",
    "reflection_evidence",
]


@dataclass(frozen=True, slots=True)
class ReflectionEvidence:
    """How well the best proper and the best mirrored similarity fit.

    Attributes
    ----------
    proper_rms_nm, mirrored_rms_nm : float
        Weighted root mean square residual of each, nanometres.
    """

    proper_rms_nm: float
    mirrored_rms_nm: float

    @property
    def mirrored_is_better(self) -> bool:
        """Whether the mirrored fit leaves less than the proper one."""
        return self.mirrored_rms_nm < self.proper_rms_nm


def fit_translation(
    source_points: ArrayLike,
    target_points: ArrayLike,
    *,
    source: Space,
    target: Space,
    weights: ArrayLike | None = None,
) -> Affine:
    """Fit a shift: the weighted mean difference.

    Parameters
    ----------
    source_points, target_points : (N, 3) array-like
        Corresponding points, z-y-x, nanometres; at least one.
    source, target : Space
        Their frames.
    weights : (N,) array-like, optional
        Relative weights > 0, for example 1 / sigma².

    Raises
    ------
    ArgumentError, TooFewLandmarksError
        The points cannot be used.
    """
    pairs = check_correspondences(
        source_points, target_points, minimum=1, model="translation", weights=weights
    )
    shift = np.average(pairs.target - pairs.source, axis=0, weights=pairs.weights)
    return Affine.from_parts(np.eye(3), shift, source=source, target=target)


def fit_rigid(
    source_points: ArrayLike,
    target_points: ArrayLike,
    *,
    source: Space,
    target: Space,
    weights: ArrayLike | None = None,
    allow_reflection: bool = False,
    planar: bool = False,
) -> Affine:
    """Fit a rotation and shift (Kabsch [1]_).

    Parameters
    ----------
    source_points, target_points : (N, 3) array-like
        Corresponding points, z-y-x, nanometres; at least three (planar: two).
    source, target : Space
        Their frames.
    weights : (N,) array-like, optional
        Relative weights > 0, for example 1 / sigma².
    allow_reflection : bool
        Take a mirror where it fits better; otherwise the determinant is always positive.
    planar : bool
        Rotate in the y-x plane only and shift z: for flat data, where a turn out of the plane
        would be a hidden mirror.

    Raises
    ------
    ArgumentError, TooFewLandmarksError
        The points cannot be used.
    DegenerateLandmarksError
        The points lie on a line.

    References
    ----------
    .. [1] W. Kabsch, "A solution for the best rotation to relate two sets of vectors", Acta
       Cryst. A32, 922-923, 1976.
    """
    pairs = _spread_pairs(source_points, target_points, weights, "rigid", planar)
    linear = _procrustes(pairs, planar, scaled=False, mirror=None if allow_reflection else False)
    return _with_shift(linear, pairs, source, target)


def fit_similarity(
    source_points: ArrayLike,
    target_points: ArrayLike,
    *,
    source: Space,
    target: Space,
    weights: ArrayLike | None = None,
    allow_reflection: bool = False,
    planar: bool = False,
) -> Affine:
    """Fit a rotation, one scale and a shift (Umeyama [1]_).

    Parameters
    ----------
    source_points, target_points, source, target, weights, allow_reflection
        As in :func:`fit_rigid`.
    planar : bool
        Rotate and scale y and x only, and shift z.

    Raises
    ------
    ArgumentError, TooFewLandmarksError
        The points cannot be used.
    DegenerateLandmarksError
        The points lie on a line.

    References
    ----------
    .. [1] S. Umeyama, "Least-squares estimation of transformation parameters between two point
       patterns", IEEE PAMI 13(4), 376-380, 1991.
    """
    pairs = _spread_pairs(source_points, target_points, weights, "similarity", planar)
    linear = _procrustes(pairs, planar, scaled=True, mirror=None if allow_reflection else False)
    return _with_shift(linear, pairs, source, target)


def fit_affine(
    source_points: ArrayLike,
    target_points: ArrayLike,
    *,
    source: Space,
    target: Space,
    weights: ArrayLike | None = None,
    allow_reflection: bool = False,
    planar: bool = False,
) -> Affine:
    """Fit a general affine map by weighted least squares.

    Parameters
    ----------
    source_points, target_points : (N, 3) array-like
        Corresponding points, z-y-x, nanometres; at least four (planar: three).
    source, target, weights
        As in :func:`fit_rigid`.
    allow_reflection : bool
        Accept a negative determinant.
    planar : bool
        Map y and x only, and shift z: for flat data.

    Raises
    ------
    ArgumentError, TooFewLandmarksError
        The points cannot be used.
    DegenerateLandmarksError
        The points lie in a plane (planar: on a line).
    RegistrationError
        The best map is a mirror and *allow_reflection* is false.
    """
    axes = _axes(planar)
    rank = 3 - axes.start
    pairs = check_correspondences(
        source_points, target_points, minimum=rank + 1, model="affine", weights=weights
    )
    check_spread(pairs.source[:, axes], rank, "affine", "source")
    a, b, _ = _centred(pairs)
    root = np.sqrt(pairs.weights)[:, None]
    scale = float(np.max(np.abs(a[:, axes])))
    solution = np.linalg.lstsq(root * a[:, axes] / scale, root * b[:, axes], rcond=None)[0]
    linear = np.eye(3)
    linear[axes, axes] = solution.T / scale
    determinant = float(np.linalg.det(linear))
    if determinant < 0 and not allow_reflection:
        raise RegistrationError(
            f"affine {source} to {target}: expected a positive determinant; found "
            f"{determinant:.4g}: the best affine is a mirror; check axis order and handedness, "
            "or allow reflection"
        )
    return _with_shift(linear, pairs, source, target)


def reflection_evidence(
    source_points: ArrayLike,
    target_points: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    planar: bool = False,
) -> ReflectionEvidence:
    """Compare the best proper with the best mirrored similarity.

    For points in a plane (and *planar* false) both fit equally well.

    Parameters
    ----------
    source_points, target_points, weights, planar
        As in :func:`fit_similarity`.

    Raises
    ------
    ArgumentError, TooFewLandmarksError, DegenerateLandmarksError
        As :func:`fit_similarity`.
    """
    pairs = _spread_pairs(source_points, target_points, weights, "reflection test", planar)
    a, b, share = _centred(pairs)
    rms = []
    for mirror in (False, True):
        linear = _procrustes(pairs, planar, scaled=True, mirror=mirror)
        rms.append(float(np.sqrt(share @ np.sum((a @ linear.T - b) ** 2, axis=1))))
    return ReflectionEvidence(proper_rms_nm=rms[0], mirrored_rms_nm=rms[1])


def _axes(planar: bool) -> slice:
    return slice(1, 3) if planar else slice(0, 3)


def _spread_pairs(
    source_points: ArrayLike,
    target_points: ArrayLike,
    weights: ArrayLike | None,
    model: str,
    planar: bool,
) -> Correspondences:
    """Check pairs for a fit of rotation: rank 2 in space, rank 1 in the plane, on both sides."""
    pairs = check_correspondences(
        source_points, target_points, minimum=2 if planar else 3, model=model, weights=weights
    )
    axes = _axes(planar)
    check_spread(pairs.source[:, axes], 1 if planar else 2, model, "source")
    check_spread(pairs.target[:, axes], 1 if planar else 2, model, "target")
    return pairs


def _centred(pairs: Correspondences) -> tuple[FloatArray, FloatArray, FloatArray]:
    share = pairs.weights / pairs.weights.sum()
    return pairs.source - share @ pairs.source, pairs.target - share @ pairs.target, share


def _procrustes(
    pairs: Correspondences, planar: bool, *, scaled: bool, mirror: bool | None
) -> FloatArray:
    """Best (3, 3) rotation, times a scale if asked; *mirror* None takes the better handedness."""
    axes = _axes(planar)
    a, b, share = _centred(pairs)
    a, b = a[:, axes], b[:, axes]
    u, values, vt = np.linalg.svd((b * share[:, None]).T @ a)
    handedness = np.ones(len(values))
    is_mirror = np.linalg.det(u) * np.linalg.det(vt) < 0
    flat = values[-1] <= 1e-12 * values[0]
    wanted = (is_mirror and not flat) if mirror is None else mirror
    if is_mirror != wanted:
        handedness[-1] = -1.0
    rotation = (u * handedness) @ vt
    scale = 1.0
    if scaled:
        scale = float(values @ handedness) / float(share @ np.sum(a**2, axis=1))
        if scale <= 1e-12:
            raise RegistrationError(
                "similarity: expected a positive scale; found 0: the landmarks fit a mirror only; "
                "check axis order and handedness, or allow reflection"
            )
    linear = np.eye(3)
    linear[axes, axes] = scale * rotation
    return linear


def _with_shift(linear: FloatArray, pairs: Correspondences, source: Space, target: Space) -> Affine:
    share = pairs.weights / pairs.weights.sum()
    shift = share @ pairs.target - linear @ (share @ pairs.source)
    return Affine.from_parts(linear, shift, source=source, target=target)
