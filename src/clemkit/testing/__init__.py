"""Phantoms with known truth, and hypothesis strategies: public, for users' own tests.

The strategies live in :mod:`clemkit.testing.strategies`, which needs hypothesis.
"""

from clemkit.testing.clem import ClemPhantom, make_clem_phantom
from clemkit.testing.real_labels import LabelLmSpec, lm_from_labels
from clemkit.testing.spec import PhantomSpec, XraySpec
from clemkit.testing.truth import TruthInverse, TruthMap
from clemkit.testing.writing import write_phantom
from clemkit.testing.xray import XrayPhantom, make_xray_phantom

__all__ = [
    "ClemPhantom",
    "LabelLmSpec",
    "PhantomSpec",
    "TruthInverse",
    "TruthMap",
    "XrayPhantom",
    "XraySpec",
    "lm_from_labels",
    "make_clem_phantom",
    "make_xray_phantom",
    "write_phantom",
]
