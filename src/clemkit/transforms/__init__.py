"""Transforms of points between spaces, their inverses, Jacobians and file formats."""

from clemkit.transforms.affine import Affine
from clemkit.transforms.base import Chain, Identity, Transform, compose, numerical_jacobian
from clemkit.transforms.bspline import BSpline
from clemkit.transforms.displacement_field import DisplacementField, sample
from clemkit.transforms.fit import (
    ReflectionEvidence,
    fit_affine,
    fit_rigid,
    fit_similarity,
    fit_translation,
    reflection_evidence,
)
from clemkit.transforms.inverse import CertifiedInverse, numerical_inverse
from clemkit.transforms.jacobian import (
    FoldingSummary,
    check_folding,
    determinant_map,
    jacobian_determinant,
)
from clemkit.transforms.thin_plate_smoothing import (
    SmoothingChoice,
    choose_smoothing,
    leave_one_out_residuals,
)
from clemkit.transforms.thin_plate_spline import ThinPlateSpline, fit_thin_plate_spline

__all__ = [
    "Affine",
    "BSpline",
    "CertifiedInverse",
    "Chain",
    "DisplacementField",
    "FoldingSummary",
    "Identity",
    "ReflectionEvidence",
    "SmoothingChoice",
    "ThinPlateSpline",
    "Transform",
    "check_folding",
    "choose_smoothing",
    "compose",
    "determinant_map",
    "fit_affine",
    "fit_rigid",
    "fit_similarity",
    "fit_thin_plate_spline",
    "fit_translation",
    "jacobian_determinant",
    "leave_one_out_residuals",
    "numerical_inverse",
    "numerical_jacobian",
    "reflection_evidence",
    "sample",
]
