"""Transforms of points between spaces, their inverses, Jacobians and file formats."""

from clemkit.transforms.affine import Affine
from clemkit.transforms.base import Chain, Identity, Transform, compose, numerical_jacobian
from clemkit.transforms.bspline import BSpline

__all__ = ["Affine", "BSpline", "Chain", "Identity", "Transform", "compose", "numerical_jacobian"]
