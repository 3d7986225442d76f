"""The held-out error is calibrated on problems whose truth follows the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg as sl

from clemkit.geometry import Grid, Space
from clemkit.registration.factor import positive_factor
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.heldout import (
    _CALIBRATION,
    estimate_error,
    hold_out,
    spread_map,
)
from clemkit.registration.model_fit import ModelFit
from clemkit.registration.structures import Structures, block_structures

EM = Space("em")
GRID = Grid(
    space=EM, shape_zyx=(12, 20, 22), voxel_size_zyx_nm=(100, 90, 80), origin_zyx_nm=(40, -700, 300)
)
SECTION = Grid(
    space=EM, shape_zyx=(1, 44, 50), voxel_size_zyx_nm=(100, 90, 80), origin_zyx_nm=(40, -700, 300)
)
STIFFNESS = 1e-4


def problem(seed: int, grid: Grid = GRID, noise: float = 1.0) -> tuple[ModelFit, Structures, float]:
    """Return a solved linear problem, its structures, and the median true error.

    The displacement is drawn from the bending prior, the data from *noise* times the noise the
    fit believes in.
    """
    rng = np.random.default_rng(seed)
    spacing = tuple(float(e) / 3 for e in np.maximum(grid.extent_zyx_nm, 600))
    lattice = FfdLattice(grid=grid, spacing_zyx_nm=spacing, margin_zyx_nm=(30.0,) * 3)
    structures = block_structures(grid, 350.0)
    gradient = rng.normal(size=(3, *grid.shape_zyx)).astype(np.float32)
    if grid.shape_zyx[0] == 1:
        gradient[0] = 0
    weight = np.full(grid.shape_zyx, 4e-4, np.float32)
    bending = STIFFNESS * lattice.bending.toarray()
    values, vectors = np.linalg.eigh(bending)
    # affine displacements cost nothing, and corners no voxel sees next to nothing
    bends = values > 1e-6 * values.max()
    draw = rng.normal(size=bends.sum()) / np.sqrt(values[bends])
    truth = (vectors[:, bends] @ draw).reshape(3, *lattice.shape)
    if grid.shape_zyx[0] == 1:
        truth[0] = 0
    sampled = noise * rng.normal(size=grid.shape_zyx) / np.sqrt(weight)
    data = (sampled - (gradient * lattice.field(truth)).sum(axis=0)).astype(np.float32)
    normal = lattice.normal_matrix(gradient, weight).toarray()
    right = -lattice.project(weight * data * gradient).ravel()
    found = sl.cho_solve(positive_factor(normal + bending), right).reshape(truth.shape)
    residual = data + (gradient * lattice.field(found)).sum(axis=0)
    fit = ModelFit(
        coefficients=found,
        lattice=lattice,
        stiffness=STIFFNESS,
        freedom=0.0,
        correlation=1.0,
        normal=normal,
        residual=residual.astype(np.float32),
        weight=weight,
        gradient=gradient,
    )
    gap = (lattice.field(found) - lattice.field(truth)).reshape(3, -1)
    return fit, structures, float(np.median(np.linalg.norm(gap, axis=0)))


def test_scales_are_near_one_where_the_model_holds():
    held = [hold_out(*problem(seed)[:2], reach_nm=0.0, seed=seed) for seed in range(4)]
    assert all(len(h.points_zyx_nm) == 3 * 5 * 5 for h in held)
    assert np.mean([h.scale for h in held]) == pytest.approx(1, abs=0.15)
    assert np.mean([h.noise_scale for h in held]) == pytest.approx(1, abs=0.15)
    # and the misfits themselves have the covariance that is claimed for them
    squares = [
        m @ np.linalg.solve(c + s, m)
        for h in held
        for m, c, s in zip(h.misfit_zyx_nm, h.covariance_nm2, h.predicted_nm2, strict=True)
    ]
    assert np.mean(squares) == pytest.approx(3, rel=0.25)


def test_scales_are_near_one_in_a_section():
    held = [hold_out(*problem(s, SECTION)[:2], reach_nm=0.0, seed=s) for s in range(5)]
    assert all(np.all(h.misfit_zyx_nm[:, 0] == 0) for h in held)
    assert np.mean([h.scale for h in held]) == pytest.approx(1, abs=0.3)
    assert np.mean([h.noise_scale for h in held]) == pytest.approx(1, abs=0.3)


def test_more_noise_than_believed_is_noticed():
    held = [hold_out(*problem(s, noise=2.0)[:2], reach_nm=0.0, seed=s) for s in range(2)]
    assert np.mean([h.noise_scale for h in held]) == pytest.approx(2, rel=0.25)
    assert all(h.scale > 1.1 for h in held)


@pytest.mark.parametrize("grid", [GRID, SECTION], ids=["volume", "section"])
def test_the_interval_holds_the_truth(grid):
    inside, ratios = 0, []
    for seed in range(6):
        fit, structures, truth = problem(seed + 50, grid)
        held = hold_out(fit, structures, reach_nm=0.0, seed=seed)
        error = estimate_error(fit, held, grid, np.eye(3), seed=seed)
        assert error.low_nm < error.median_nm < error.high_nm
        assert error.median_nm < error.p90_nm
        # simulated experiments add a factor; this problem follows the model without it
        inside += error.low_nm <= _CALIBRATION * truth <= error.high_nm
        ratios.append(_CALIBRATION * truth / error.median_nm)
    assert inside >= 5  # of six at 90 %
    assert np.exp(np.mean(np.log(ratios))) == pytest.approx(1, abs=0.2)


def test_a_held_out_piece_does_not_predict_itself():
    """Moving the data of one object moves its misfit, not its prediction."""
    fit, structures, _ = problem(3)
    kept = hold_out(fit, structures, reach_nm=0.0)
    one = structures.piece == 38
    push = np.zeros((3, *GRID.shape_zyx), np.float32)
    push[1] = 40.0
    residual = fit.residual - one * (push * fit.gradient).sum(axis=0)
    pushed = hold_out(replace(fit, residual=residual), structures, reach_nm=0.0)
    centre = structures.centres_zyx_nm[38]
    k = int(np.linalg.norm(kept.points_zyx_nm - centre, axis=1).argmin())
    change = pushed.misfit_zyx_nm[k] - kept.misfit_zyx_nm[k]
    np.testing.assert_allclose(change, [0, 40, 0], atol=0.5)


def test_whole_objects_are_left_out():
    """Pieces of one object share a fold: none of them predicts its neighbour."""
    fit, structures, _ = problem(4)
    objects = np.arange(structures.count + 1)
    objects[1:] = (objects[1:] - 1) // 5 + 1  # five pieces along x make an object
    rods = replace(structures, objects=objects)
    single = hold_out(fit, structures, reach_nm=0.0)
    whole = hold_out(fit, rods, reach_nm=0.0)
    spread = [np.trace(h.predicted_nm2, axis1=1, axis2=2).mean() for h in (single, whole)]
    assert spread[1] > 1.05 * spread[0]


def test_regions_say_where_there_was_evidence():
    fit, structures, _ = problem(5)
    held = hold_out(fit, structures, reach_nm=0.0)
    left = held.points_zyx_nm[:, 2] < GRID.centre_zyx_nm[2]
    some = replace(
        held,
        **{
            name: getattr(held, name)[left]
            for name in ("points_zyx_nm", "misfit_zyx_nm", "covariance_nm2", "predicted_nm2")
        },
    )
    regions = estimate_error(fit, some, GRID, np.eye(3), seed=1, regions=(1, 1, 2)).regions
    assert [r["count"] for r in regions] == [left.sum(), 0]
    assert "median_nm" in regions[0]
    assert "median_nm" not in regions[1]


def test_error_is_in_the_moving_frame():
    fit, structures, _ = problem(6)
    held = hold_out(fit, structures, reach_nm=0.0)
    plain = estimate_error(fit, held, GRID, np.eye(3), seed=1)
    double = estimate_error(fit, held, GRID, 2 * np.eye(3), seed=1)
    assert double.median_nm == pytest.approx(2 * plain.median_nm)
    assert estimate_error(fit, held, GRID, np.eye(3), seed=1) == plain
    a, b = (spread_map(fit, GRID, m, 1.5) for m in (np.eye(3), 2 * np.eye(3)))
    np.testing.assert_allclose(b, 2 * a, rtol=1e-5)


def test_spread_map_is_the_spread_of_the_solution():
    fit, _, _ = problem(0)
    sigma = spread_map(fit, GRID, np.eye(3), 1.0)
    inverse = np.linalg.inv(fit.normal + STIFFNESS * fit.lattice.bending.toarray())
    n = inverse.shape[0] // 3
    row = fit.lattice.rows(GRID.points()[[1234]])[0]
    total = sum(row @ inverse[a * n : a * n + n, a * n : a * n + n] @ row for a in range(3))
    assert sigma.ravel()[1234] == pytest.approx(_CALIBRATION * np.sqrt(total), rel=5e-3)
    assert sigma[0, 0, 0] > sigma[6, 10, 11]  # corners have data on one side only


def test_nothing_to_hold_out_says_so():
    fit, structures, _ = problem(7)
    empty = replace(fit, weight=np.zeros_like(fit.weight), normal=np.zeros_like(fit.normal))
    held = hold_out(empty, structures, reach_nm=0.0)
    assert len(held.points_zyx_nm) == 0
    assert np.isnan(held.scale)
