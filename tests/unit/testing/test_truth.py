from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clemkit.errors import FoldingError, NotConvergedError
from clemkit.geometry import Space
from clemkit.testing.field_draws import minimum_determinant, random_fields
from clemkit.testing.fields import BendField
from clemkit.testing.truth import TruthInverse, TruthMap, random_linear
from clemkit.transforms import Transform
from clemkit.transforms.base import numerical_jacobian

BLOCK = np.array([[-500.0, 200.0, 1000.0], [5500.0, 9200.0, 12000.0]])
DOMAIN = np.array([[-3000.0, -5000.0, -5000.0], [8000.0, 15000.0, 18000.0]])
FAMILIES = ("rbf", "swelling", "shear", "tear", "mixed")


def build(family, seed=3, rms=400.0, z_flip=False, extra=()):
    rng = np.random.default_rng(seed)
    fields, reached, least = random_fields(
        rng,
        family,
        block_zyx_nm=BLOCK,
        domain_zyx_nm=DOMAIN,
        scale_nm=5000.0,
        rms_nm=rms,
        extra=extra,
    )
    linear = random_linear(
        rng,
        rotation_max_deg=180,
        tilt_max_deg=15,
        scale_zyx=np.array([1.2, 1.05, 1.1]),
        z_flip=z_flip,
    )[0]
    truth = TruthMap(
        Space("em"), Space("lm"), linear, BLOCK.mean(0), np.array([7e3, 2e4, 1e4]), fields
    )
    return truth, reached, least


@pytest.fixture
def scattered(rng):
    return DOMAIN[0] + rng.random((1500, 3)) * (DOMAIN[1] - DOMAIN[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_inverse_undoes_every_family(family, scattered):
    truth, _, _ = build(family, z_flip=family == "shear")
    back = truth.inverse()
    assert isinstance(truth, Transform)
    assert isinstance(back, Transform)
    assert (back.source, back.target) == (Space("lm"), Space("em"))
    assert back.inverse() is truth
    np.testing.assert_allclose(
        back.apply_points(truth.apply_points(scattered)), scattered, atol=0.01
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_analytic_jacobian_is_the_derivative(family, scattered):
    truth, _, _ = build(family)
    found = truth.jacobian(scattered[:300])
    np.testing.assert_allclose(found, numerical_jacobian(truth, scattered[:300]), atol=2e-3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("family", FAMILIES)
def test_no_family_folds_even_when_asked_for_much(family, seed, rng):
    truth, reached, least = build(family, seed=seed, rms=1500.0)
    points = DOMAIN[0] + rng.random((20000, 3)) * (DOMAIN[1] - DOMAIN[0])
    relative = np.linalg.det(truth.jacobian(points)) / np.linalg.det(truth.linear_zyx)
    assert relative.min() > 0.3
    assert minimum_determinant(list(truth.fields), points) == pytest.approx(relative.min())
    assert least > 0.3
    assert 200 < reached <= 1500.0001


@pytest.mark.parametrize("family", FAMILIES)
def test_strength_is_what_remains_after_the_best_affine(family, rng):
    truth, reached, _ = build(family, rms=250.0)
    assert reached == pytest.approx(250.0)
    points = BLOCK[0] + rng.random((20000, 3)) * (BLOCK[1] - BLOCK[0])
    moved = truth.apply_points(points)
    design = np.c_[points, np.ones(len(points))]
    rest = moved - design @ np.linalg.lstsq(design, moved, rcond=None)[0]
    rms = np.sqrt((rest**2).sum(1).mean())
    assert 0.75 * 250 < rms < 1.4 * 250  # measured in LM, where everything is 5-20 % larger


def test_mirror_and_scale_are_in_the_linear_part():
    rng = np.random.default_rng(0)
    linear, rotation, tilt = random_linear(
        rng, rotation_max_deg=40, tilt_max_deg=8, scale_zyx=np.array([1.1, 1.2, 1.3]), z_flip=True
    )
    assert np.linalg.det(linear) == pytest.approx(-1.1 * 1.2 * 1.3)
    assert abs(rotation) <= 40
    assert 0 <= tilt <= 8
    # the tilt is the angle between the old and the new z axis
    z = linear[:, 0] / np.linalg.norm(linear[:, 0])
    assert np.rad2deg(np.arccos(abs(z[0]))) == pytest.approx(tilt, abs=1e-6)


def test_tear_is_steep_across_and_calm_along_its_sheet():
    truth, _, _ = build("tear", rms=600.0)
    tear = next(f for f in truth.fields if hasattr(f, "normal"))
    at = tear.centre_zyx_nm[None]
    slope = tear.evaluate(at, True)[1][0]
    # the undulation bends the sheet a little, so its gradient is not exactly the normal
    steepest = np.linalg.svd(slope)[2][0]
    assert abs(steepest @ tear.normal) > 0.9
    assert np.linalg.norm(slope @ tear.normal) > 0.3


def test_bow_is_kept_as_asked():
    bow = BendField(BLOCK.mean(0), np.array([0.6, 0.8]), 900.0, 5000.0)
    truth, _, _ = build("rbf", extra=(bow,))
    assert truth.fields[-1] is bow


def test_impossible_deformation_is_refused():
    with pytest.raises(FoldingError, match=r"field_rms_nm"):
        build("swelling", rms=2e5)


def test_inverse_far_outside_says_so():
    truth, _, _ = build("rbf", rms=800.0)
    wild = replace(truth, fields=tuple(f.scaled(12.0) for f in truth.fields))
    grid = np.stack(np.meshgrid(*[np.linspace(a, b, 9) for a, b in BLOCK.T], indexing="ij"), -1)
    with pytest.raises(NotConvergedError, match=r"within 0\.001 nm"):
        TruthInverse(wild).apply_points(wild.centre_target_nm + 0.7 * grid.reshape(-1, 3))
