from __future__ import annotations

import numpy as np
import pytest

from clemkit.errors import ArgumentError, AxisError, SpaceMismatchError, UnitError
from clemkit.geometry import (
    Space,
    as_points,
    as_triple,
    from_nanometres,
    nanometres_per,
    require_same_space,
    to_nanometres,
)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("nm", 1.0),
        ("Angstrom", 0.1),
        ("Å", 0.1),
        ("um", 1e3),
        ("µm", 1e3),  # micro sign
        ("\u03bcm", 1e3),  # Greek mu
        ("\\u00b5m", 1e3),  # as ImageJ escapes it
        (" micron ", 1e3),
        ("Micrometer", 1e3),
        ("mm", 1e6),
        ("m", 1e9),
    ],
)
def test_units_as_files_spell_them(unit, expected):
    assert nanometres_per(unit) == pytest.approx(expected)


@pytest.mark.parametrize("unit", ["", "pixel", "inch", "px"])
def test_an_unknown_unit_is_refused_with_the_known_ones(unit):
    with pytest.raises(UnitError, match="nm, um, mm"):
        nanometres_per(unit)


def test_conversion_goes_both_ways():
    assert to_nanometres(2.5, "um") == 2500.0
    assert from_nanometres(to_nanometres(0.37, "mm"), "mm") == pytest.approx(0.37)


def test_points_keep_their_values_and_become_float64():
    points = as_points([[1, 2, 3]])
    assert points.dtype == np.float64
    assert points.shape == (1, 3)
    assert as_points([]).shape == (0, 3)


@pytest.mark.parametrize("shape", [(3,), (4, 2), (2, 3, 1)])
def test_points_of_another_shape_are_refused(shape):
    with pytest.raises(AxisError, match=r"expected shape \(N, 3\)"):
        as_points(np.zeros(shape))


def test_a_triple_is_three_finite_numbers():
    assert as_triple(np.array([1, 2, 3]), "size") == (1.0, 2.0, 3.0)
    with pytest.raises(ArgumentError, match="size: expected three"):
        as_triple([1, 2], "size")
    with pytest.raises(ArgumentError, match="finite"):
        as_triple([1, 2, float("inf")], "size")


def test_spaces_are_compared_by_name():
    require_same_space(Space("em"), Space("em"), "warp")
    with pytest.raises(SpaceMismatchError, match="expected space 'em'; found 'lm'"):
        require_same_space(Space("em"), Space("lm"), "warp")


def test_a_space_needs_a_name():
    with pytest.raises(ArgumentError, match="non-empty"):
        Space("  ")
