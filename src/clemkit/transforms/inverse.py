"""Numerical inverses that carry their measured error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import (
    ArgumentError,
    FoldingError,
    NotInvertibleError,
    OutsideDomainError,
)
from clemkit.geometry import FloatArray, Grid, Space, as_points, as_triple, require_same_space
from clemkit.transforms.affine import Affine
from clemkit.transforms.base import Chain, Identity, Transform
from clemkit.transforms.displacement_field import DisplacementField
from clemkit.transforms.jacobian import check_folding
from clemkit.transforms.newton import solve_points

__all__ = ["CertifiedInverse", "numerical_inverse"]

_CHUNK = 1 << 15  # points solved at once; bounds memory


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CertifiedInverse:
    """The inverse of a transform over a domain; made by :func:`numerical_inverse`.

    Attributes
    ----------
    forward : Transform
        The map that is inverted.
    domain : Grid
        Region of ``forward.source`` for which the error holds, half voxels included.
    tolerance_nm : float
        What the iteration aims below.
    max_error_nm : float
        Largest round-trip error found, both ways: ``|inverse(forward(x)) - x|`` and
        ``|forward(inverse(y)) - y|``; 0.0 when exact.
    outside : {"raise", "extend"}
        What :meth:`apply_points` does with points whose preimage is outside the domain.
    start : Transform
        Rough inverse from which the iteration starts, or the exact inverse.
    exact : bool
        Whether *start* is the inverse and nothing is iterated.
    """

    forward: Transform
    domain: Grid
    tolerance_nm: float
    max_error_nm: float
    outside: Literal["raise", "extend"]
    start: Transform
    exact: bool

    @property
    def source(self) -> Space:
        """Space of the points that go in: the forward map's target."""
        return self.forward.target

    @property
    def target(self) -> Space:
        """Space of the points that come out: the forward map's source."""
        return self.forward.source

    def apply_points(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Map points ``(N, 3)``, nanometres.

        Raises
        ------
        OutsideDomainError
            A point has no preimage that could be found, or (unless *outside* is ``"extend"``) one
            outside the domain; ``apply_points_checked`` tells which.
        """
        points = as_points(points_zyx_nm)
        out, solved, inside = self._solve(points)
        bad = ~solved if self.outside == "extend" else ~(solved & inside)
        if np.any(bad):
            first = int(np.flatnonzero(bad)[0])
            raise OutsideDomainError(
                f"inverse {self.source} to {self.target}: expected points that come from the "
                f"domain; found {int(bad.sum())} of {len(points)} that do not "
                f"({int(np.sum(~solved))} without any solution), first row {first} at "
                f"{points[first]} nm; use apply_points_checked, or invert over a larger domain"
            )
        return out

    def apply_points_checked(self, points_zyx_nm: ArrayLike, /) -> tuple[FloatArray, np.ndarray]:
        """Map points and say which to trust.

        Returns
        -------
        points : (N, 3) array
            NaN where no preimage was found.
        ok : (N,) bool array
            Whether the preimage was found and lies in the domain, where ``max_error_nm`` holds.
        """
        out, solved, inside = self._solve(as_points(points_zyx_nm))
        out[~solved] = np.nan
        return out, solved & inside

    def jacobian(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Return the inverse of the forward Jacobian at the preimages, ``(N, 3, 3)``."""
        return np.asarray(np.linalg.inv(self.forward.jacobian(self.apply_points(points_zyx_nm))))

    def inverse(self) -> Transform:
        """Return the forward map."""
        return self.forward

    def _solve(self, points: FloatArray) -> tuple[FloatArray, np.ndarray, np.ndarray]:
        """Return preimages, whether they were found, and whether they lie in the domain."""
        finite = np.all(np.isfinite(points), axis=1)
        if self.exact:
            return self.start.apply_points(points), finite, finite
        out = np.full(points.shape, np.nan)
        solved = np.zeros(len(points), dtype=bool)
        linear = _affine_part(self.start).linear
        rows = np.flatnonzero(finite)
        for begin in range(0, len(rows), _CHUNK):
            part = rows[begin : begin + _CHUNK]
            wanted = points[part]
            out[part], solved[part] = solve_points(
                self.forward, wanted, self.start.apply_points(wanted), linear, self.tolerance_nm
            )
        inside = np.zeros(len(points), dtype=bool)
        index = self.domain.to_index(out[solved])
        slack = self.tolerance_nm / np.array(self.domain.voxel_size_zyx_nm)
        last = np.array(self.domain.shape_zyx) - 0.5
        inside[solved] = np.all((index >= -0.5 - slack) & (index <= last + slack), axis=1)
        return out, solved, inside


def numerical_inverse(
    t: Transform,
    *,
    domain: Grid,
    tolerance_nm: float = 0.01,
    outside: Literal["raise", "extend"] = "raise",
    samples: int = 20_000,
) -> CertifiedInverse:
    """Invert any transform over a domain, and measure how well.

    Affine maps are inverted exactly. Others are solved point by point by damped Newton iteration
    from a coarse sampled inverse.

    Parameters
    ----------
    t : Transform
        The map to invert.
    domain : Grid
        Region of ``t.source``, half voxels included.
    tolerance_nm : float
        Largest error to accept, in both spaces.
    outside : {"raise", "extend"}
        What ``apply_points`` does with points that come from outside the domain: refuse them, or
        solve them all the same, without the certificate.
    samples : int
        About how many points of the domain, on a regular grid that includes its faces, to check
        for folds and round trips.

    Returns
    -------
    CertifiedInverse

    Raises
    ------
    ArgumentError
        The tolerance or the number of samples is not positive.
    SpaceMismatchError
        The domain is not in the source space.
    FoldingError
        The determinant changes sign inside the domain.
    NotInvertibleError
        A round trip misses the tolerance, or an affine map is singular.
    """
    if not tolerance_nm > 0 or samples < 8:
        raise ArgumentError(
            "numerical_inverse: expected tolerance_nm > 0 and samples >= 8; "
            f"found {tolerance_nm} and {samples}"
        )
    if outside not in ("raise", "extend"):
        raise ArgumentError(f"outside: expected 'raise' or 'extend'; found {outside!r}")
    require_same_space(t.source, domain.space, "numerical_inverse: domain")
    start = _exact_inverse(t)
    exact = start is not None
    points = _faces_and_inside(domain, samples)
    if start is None:
        folding = check_folding(t, points)
        if folding.folds:
            raise FoldingError(
                f"{t.source} to {t.target}: expected a map that does not fold; found determinants "
                f"from {folding.minimum:.4g} to {folding.maximum:.4g}, "
                f"{folding.folded_fraction:.2%} of the domain folded, worst at "
                f"{folding.worst_zyx_nm} nm; smooth the transform"
            )
        start = _coarse_inverse(t, domain)
    inverse = CertifiedInverse(
        forward=t,
        domain=domain,
        tolerance_nm=tolerance_nm,
        max_error_nm=0.0,
        outside=outside,
        start=start,
        exact=exact,
    )
    if _is_affine(t):
        return inverse
    return replace(inverse, max_error_nm=_round_trip(inverse, points.points()))


def _round_trip(inverse: CertifiedInverse, x: FloatArray) -> float:
    """Return the largest round-trip error, or raise if it misses the tolerance."""
    y = inverse.forward.apply_points(x)
    back, ok = inverse.apply_points_checked(y)
    error = np.full(len(x), np.inf)
    again = inverse.forward.apply_points(back[ok])
    error[ok] = np.maximum(
        np.linalg.norm(back[ok] - x[ok], axis=1), np.linalg.norm(again - y[ok], axis=1)
    )
    worst = int(np.argmax(error))
    if not error[worst] <= inverse.tolerance_nm:
        misses = int(np.sum(~(error <= inverse.tolerance_nm)))
        raise NotInvertibleError(
            f"inverse of {inverse.target} to {inverse.source}: expected round trips within "
            f"{inverse.tolerance_nm:g} nm; found {misses} of {len(x)} points beyond, worst "
            f"{error[worst]:.4g} nm at {x[worst]} nm; smooth the transform or raise tolerance_nm"
        )
    return float(error[worst])


def _is_affine(t: Transform) -> bool:
    parts = t.parts if isinstance(t, Chain) else (t,)
    return all(isinstance(part, Affine | Identity) for part in parts)


def _exact_inverse(t: Transform) -> Transform | None:
    """Return the inverse where the transform has one; a singular affine raises."""
    try:
        return t.inverse()
    except NotInvertibleError:
        if _is_affine(t):
            raise
        return None


def _faces_and_inside(domain: Grid, samples: int) -> Grid:
    """Return a grid from outer face to outer face of the domain with about *samples* points."""
    cells = np.array(domain.shape_zyx)
    while np.prod(cells + 1) > samples and cells.max() > 1:
        cells[np.argmax(cells)] = -(-cells.max() // 2)
    lo = np.array(domain.origin_zyx_nm) - np.array(domain.voxel_size_zyx_nm) / 2
    return Grid(
        space=domain.space,
        shape_zyx=(int(cells[0]) + 1, int(cells[1]) + 1, int(cells[2]) + 1),
        voxel_size_zyx_nm=as_triple(domain.extent_zyx_nm / cells, "voxel"),
        origin_zyx_nm=as_triple(lo, "origin"),
    )


def _affine_part(start: Transform) -> Affine:
    first = start.parts[0] if isinstance(start, Chain) else start
    if not isinstance(first, Affine):
        raise ArgumentError("CertifiedInverse.start: expected an affine, then a displacement field")
    return first


def _coarse_inverse(t: Transform, domain: Grid) -> Transform:
    """Return an affine and, after it, a coarse field that together roughly invert *t*."""
    coarse = _faces_and_inside(domain, 1500)
    x = coarse.points()
    y = t.apply_points(x)
    centre_x, centre_y = x.mean(axis=0), y.mean(axis=0)
    scale = np.maximum(np.ptp(x, axis=0), 1e-12)
    slope = np.linalg.lstsq((x - centre_x) / scale, y - centre_y, rcond=None)[0]
    linear = slope.T / scale
    if not np.linalg.cond(linear) < 1e12:
        raise NotInvertibleError(
            f"inverse of {t.source} to {t.target}: expected a map that keeps three dimensions; "
            "found one that flattens the domain"
        )
    affine = Affine.from_parts(
        linear, centre_y - linear @ centre_x, source=t.source, target=t.target
    ).inverse()
    # the field lives where the affine inverse puts the targets, so its nodes are near x
    pulled = affine.apply_points(y)
    lo, hi = pulled.min(axis=0), pulled.max(axis=0)
    shape = np.array(coarse.shape_zyx)
    nodes = Grid(
        space=t.source,
        shape_zyx=coarse.shape_zyx,
        voxel_size_zyx_nm=as_triple((hi - lo) / (shape - 1), "voxel"),
        origin_zyx_nm=as_triple(lo, "origin"),
    )
    places = nodes.points()
    nearest = np.concatenate(
        [
            np.argmin(((part[:, None, :] - pulled[None]) ** 2).sum(axis=2), axis=1)
            for part in np.array_split(places, max(1, len(places) // 256))
        ]
    )
    guess = x[nearest] + places - pulled[nearest]
    rough = float(np.max(domain.extent_zyx_nm)) * 1e-4
    wanted = affine.inverse().apply_points(places)
    solved, converged = solve_points(t, wanted, guess, affine.linear, rough, max_iterations=20)
    solved[~converged] = guess[~converged]
    field = DisplacementField(
        (solved - places).reshape(*nodes.shape_zyx, 3), nodes, t.source, t.source
    )
    return Chain((affine, field))
