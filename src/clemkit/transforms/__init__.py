"""Transforms of points between spaces, their inverses, Jacobians and file formats."""

from clemkit.transforms.affine import Affine
from clemkit.transforms.base import Chain, Identity, Transform, compose, numerical_jacobian

__all__ = ["Affine", "Chain", "Identity", "Transform", "compose", "numerical_jacobian"]
