"""What a registration returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from clemkit.geometry import FloatArray
from clemkit.provenance import Step
from clemkit.transforms import Transform

__all__ = ["ErrorEstimate", "JacobianSummary", "RegistrationResult", "StageRecord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEstimate:
    """An estimate of the target registration error (TRE) from data the fit never used.

    Attributes
    ----------
    median_nm, p90_nm : float
        Estimated median and 90th percentile of the TRE inside the fixed domain.
    low_nm, high_nm : float
        90 % interval for the median.
    kind : str
        ``"held-out"``, ``"leave-one-out"`` or ``"none"``.
    count : int
        Number of held-out structures.
    regions : tuple of mapping
        Per region: ``centre_zyx_nm``, ``size_zyx_nm``, ``median_nm``, ``low_nm``, ``high_nm``,
        ``count``; regions without evidence have count 0 and no figures.
    """

    median_nm: float
    p90_nm: float
    low_nm: float
    high_nm: float
    kind: Literal["held-out", "leave-one-out", "none"]
    count: int
    regions: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JacobianSummary:
    """Volume change of fixed → moving inside the fixed domain, relative to its affine part.

    Attributes
    ----------
    min, max : float
        Extremes of the determinant.
    folded_fraction : float
        Share of sampled positions with a determinant that is not positive.
    """

    min: float
    max: float
    folded_fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """One stage of the chain: name, wall and CPU seconds, and its figure of merit."""

    name: str
    seconds: float
    cpu_seconds: float
    metric: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegistrationResult:
    """A registration with its honest error.

    Attributes
    ----------
    moving_to_fixed, fixed_to_moving : Transform
        The two directions; one may be a certified numerical inverse of the other.
    inverse_error_nm : float
        Measured round trip; 0.0 when the inverse is exact.
    fit_residuals_nm : (N,) float array
        Residuals of the matches used: a fit, not an accuracy.
    error_estimate : ErrorEstimate
        Held-out estimate with its interval.
    status : {"ok", "uncertain", "failed"}
        ``uncertain`` results must be looked at; ``failed`` ones have a reason in ``warnings``.
    confidence : float
        0 to 1: how far the best pose stands out against the best different one.
    reflection : bool
        Whether the transform contains a mirror.
    jacobian : JacobianSummary
        Volume change.
    stages : tuple of StageRecord
        What ran, how long, with which figure.
    warnings : tuple of str
        Findings for the user.
    details : mapping
        Further figures for ``registration.json``.
    method : str
        Short name of the chain.
    step : Step
        Provenance.
    """

    moving_to_fixed: Transform
    fixed_to_moving: Transform
    inverse_error_nm: float
    fit_residuals_nm: FloatArray
    error_estimate: ErrorEstimate
    status: Literal["ok", "uncertain", "failed"]
    confidence: float
    reflection: bool
    jacobian: JacobianSummary
    stages: tuple[StageRecord, ...]
    warnings: tuple[str, ...]
    method: str
    step: Step
    details: Mapping[str, Any] = field(default_factory=dict)
