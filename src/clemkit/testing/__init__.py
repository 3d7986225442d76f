"""Phantoms with known truth, and hypothesis strategies: public, for users' own tests."""

from clemkit.testing.clem import ClemPhantom, make_clem_phantom
from clemkit.testing.spec import PhantomSpec, XraySpec
from clemkit.testing.truth import TruthMap

__all__ = [
    "ClemPhantom",
    "PhantomSpec",
    "TruthMap",
    "XraySpec",
    "make_clem_phantom",
]
