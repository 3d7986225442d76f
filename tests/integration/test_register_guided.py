"""A start, landmarks and further structures that guide a registration of a small phantom."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from clemkit.errors import ArgumentError, RegistrationError
from clemkit.geometry import Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.registration.engine import register
from clemkit.registration.further_structures import Structure
from clemkit.testing import PhantomSpec, make_clem_phantom
from clemkit.transforms import Affine, compose, fit_affine

GAP = (slice(None), slice(0, 40), slice(0, 45))  # a corner of the EM without structures
INSIDE_GAP = [[.5, .1, .1], [.3, .35, .1], [.7, .1, .35], [.5, .35, .35], [.2, .2, .2],
              [.8, .25, .2]]  # fmt: skip


# the searches take seconds; a trusted start keeps the other tests short
@pytest.fixture(scope="module")
def case() -> SimpleNamespace:
    """A phantom, with and without its structures in a corner."""
    spec = PhantomSpec.small(
        2,
        em_size_zyx_nm=(4000.0, 8000.0, 9000.0),
        em_voxel_zyx_nm=(125.0, 100.0, 100.0),
        mitochondria_per_cell=700,
        cell_spacing_nm=12000.0,
    )
    phantom = make_clem_phantom(spec)
    labels = phantom.em_mitochondria.read()
    holed, corner = labels.copy(), np.zeros_like(labels)
    corner[GAP] = labels[GAP]
    holed[GAP] = 0
    points = phantom.em.grid.points()
    gap = points.reshape(*labels.shape, 3)[GAP].reshape(-1, 3)[::97]
    affine = fit_affine(
        points[::997],
        phantom.truth.apply_points(points[::997]),
        source=phantom.em.grid.space,
        target=phantom.lm.grid.space,
    )
    return SimpleNamespace(
        em=phantom.em,
        lm=phantom.lm,
        truth=phantom.truth,
        affine=affine,
        labels=phantom.em_mitochondria,
        holed=replace(phantom.em_mitochondria, data=holed),
        corner=replace(phantom.em_mitochondria, data=corner),
        points=points[::997],
        gap=gap,
    )


def run(case, labels=None, **options):
    return register(
        case.em,
        case.lm,
        fixed_labels=case.labels if labels is None else labels,
        moving_channel="mitochondria",
        seed=5,
        **options,
    )


def error(case, result, points) -> float:
    """Return the median error at points, nm."""
    gap = result.fixed_to_moving.apply_points(points) - case.truth.apply_points(points)
    return float(np.median(np.linalg.norm(gap, axis=1)))


def shifted(case, *offset_zyx_nm: float):
    space = case.lm.grid.space
    return compose(
        case.truth, Affine.from_parts(np.eye(3), offset_zyx_nm, source=space, target=space)
    )


def pairs(case, shares, wrong: int | None = None, moved=(150.0, 500.0, -400.0)) -> LandmarkPairs:
    low, high = case.em.grid.corners()[0], case.em.grid.corners()[-1]
    points = low + np.array(shares) * (high - low)
    targets = case.truth.apply_points(points)
    targets += np.random.default_rng(3).normal(0, 40, targets.shape)
    if wrong is not None:
        targets[wrong] += moved
    ids = tuple(f"p{k}" for k in range(len(points)))
    return LandmarkPairs(
        moving=LandmarkSet(space=case.lm.grid.space, ids=ids, points_zyx_nm=targets),
        fixed=LandmarkSet(space=case.em.grid.space, ids=ids, points_zyx_nm=points),
    )


def test_a_start_a_micrometre_off_ends_where_the_search_ends(case):
    seen = []
    plain = run(case, preview=lambda transform, channel: seen.append((transform, channel)))
    guided = run(case, initial=shifted(case, 300.0, 700.0, -650.0))
    ends = [r.fixed_to_moving.apply_points(case.points) for r in (plain, guided)]
    assert np.median(np.linalg.norm(ends[0] - ends[1], axis=1)) < 15
    assert guided.status == "ok"
    assert guided.details["searches"] == ["initial transform"]
    # the preview came from the coarse stage: near, but not the result
    [(coarse, channel)] = seen
    assert channel == 0
    away = np.linalg.norm(coarse.apply_points(case.points) - ends[0], axis=1)
    assert 20 < np.median(away) < 1000


def test_a_wrong_start_is_refused_with_the_better_place(case):
    with pytest.raises(RegistrationError, match=r"7\.\d+ µm away .* --trust-initial"):
        run(case, initial=shifted(case, 0.0, 6000.0, -4000.0))


def test_a_wrong_start_that_is_trusted_ends_uncertain(case):
    found = run(case, initial=shifted(case, 0.0, 6000.0, -4000.0), trust_initial=True)
    assert found.status == "uncertain"
    assert any("the images do not confirm it" in text for text in found.warnings)


def test_a_start_of_other_spaces_is_refused(case):
    backwards = Affine.identity(case.lm.grid.space, case.em.grid.space)
    with pytest.raises(ArgumentError, match="initial, source"):
        run(case, initial=backwards)


def test_landmarks_hold_a_region_without_structures(case):
    given = pairs(case, INSIDE_GAP)
    start = {"initial": case.affine, "trust_initial": True}
    alone = run(case, case.holed, **start)
    soft = run(case, case.holed, landmarks=given, **start)
    hard = run(case, case.holed, landmarks=given, landmark_weight="hard", **start)
    assert error(case, soft, case.gap) < 0.7 * error(case, alone, case.gap)
    assert error(case, hard, case.gap) < 0.7 * error(case, alone, case.gap)
    missed = hard.fixed_to_moving.apply_points(given.fixed.points_zyx_nm)
    missed -= given.moving.points_zyx_nm
    assert np.linalg.norm(missed, axis=1).max() < 1.0
    told = soft.details["landmarks"]["residual_nm"]
    left = soft.fixed_to_moving.apply_points(given.fixed.points_zyx_nm)
    left = np.linalg.norm(left - given.moving.points_zyx_nm, axis=1)
    assert list(told.values()) == pytest.approx(list(left), abs=1.0)
    assert soft.details["landmarks"]["contradict_the_images"] == {}


def test_a_wrong_landmark_is_named_and_kept(case):
    shares = np.random.default_rng(3).uniform(0.1, 0.9, (8, 3))
    given = pairs(case, shares, wrong=2, moved=(400.0, 1500.0, -1200.0))
    start = {"initial": case.affine, "trust_initial": True}
    found = run(case, landmarks=given, **start)
    assert list(found.details["landmarks"]["contradict_the_images"]) == ["p2"]
    assert any("contradict the images: p2 (" in text for text in found.warnings)
    assert error(case, found, case.points) < 250
    with pytest.raises(RegistrationError, match=r"that it folds: p2 .* pass them as soft"):
        run(case, landmarks=given, landmark_weight="hard", **start)


def test_landmarks_give_the_start(case):
    shares = np.random.default_rng(4).uniform(0.1, 0.9, (8, 3))
    found = run(case, landmarks=pairs(case, shares))
    assert found.details["searches"] == ["start from landmarks"]
    assert found.status == "ok"
    foreign = LandmarkSet(space=Space("x"), ids=("a",), points_zyx_nm=np.zeros((1, 3)))
    with pytest.raises(ArgumentError, match="landmarks, fixed side"):
        run(case, landmarks=LandmarkPairs(moving=foreign, fixed=foreign))


def test_a_second_structure_fills_the_gap_of_the_first(case):
    """The light of the corner goes to a channel of its own."""
    back = case.affine.inverse().apply_points(case.lm.grid.points())
    edge = case.em.grid.to_physical(np.array([[0, 40, 45]]))[0]
    there = (back[:, 1:] < edge[1:]).all(axis=1).reshape(case.lm.grid.shape_zyx)
    light = case.lm.read(channel=0).astype(np.float32)
    dark = np.float32(np.percentile(light, 5))
    split = np.stack([np.where(there, dark, light), np.where(there, light, dark)])
    moving = replace(case.lm, data=split, channels=("first", "second"))
    start = {"initial": case.affine, "trust_initial": True, "seed": 5}
    one = register(case.em, moving, fixed_labels=case.holed, moving_channel="first", **start)
    two = register(
        case.em,
        moving,
        structures=[
            Structure(labels=case.holed, channel="first"),
            Structure(labels=case.corner, channel="second", weight=0.8),
        ],
        **start,
    )
    assert error(case, two, case.gap) < 0.7 * error(case, one, case.gap)


def test_structures_are_not_mixed_with_labels(case):
    kind = Structure(labels=case.labels, channel=0)
    with pytest.raises(ArgumentError, match="found both"):
        run(case, structures=[kind])
    with pytest.raises(ArgumentError, match=r"structures\[1\]: expected the moving channel"):
        register(case.em, case.lm, structures=[kind, Structure(labels=case.corner)])
    with pytest.raises(ArgumentError, match="number > 0"):
        Structure(labels=case.labels, weight=0.0)
