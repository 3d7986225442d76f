"""elastix and greedy in their workers: known truth, threads, crash, and ITK's own transforms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from clemkit.errors import NotConvergedError
from clemkit.geometry import Grid, Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.registration.engines import elastix as elastix_module
from clemkit.registration.engines.backend import RefinementSettings
from clemkit.registration.engines.elastix import ElastixBackend
from clemkit.registration.engines.greedy import GreedyBackend
from clemkit.transforms import Affine

needs_elastix = pytest.mark.skipif(find_spec("itk") is None, reason="extra elastix not installed")
needs_greedy = pytest.mark.skipif(
    find_spec("picsl_greedy") is None, reason="extra greedy not installed"
)
pytestmark = pytest.mark.engine

EM, LM = Space("em"), Space("lm")
FIXED = Grid(
    space=EM, shape_zyx=(20, 34, 38), voxel_size_zyx_nm=(200, 100, 110),
    origin_zyx_nm=(500, -300, 200),
)  # fmt: skip
MOVING = Grid(
    space=LM, shape_zyx=(34, 50, 54), voxel_size_zyx_nm=(180, 110, 115),
    origin_zyx_nm=(100, 900, -700),
)  # fmt: skip
TRUTH = Affine.from_parts(
    [[1.03, 0.05, -0.02], [-0.04, 0.97, 0.06], [0.03, -0.05, 1.02]],
    [900, 1500, 300],
    source=EM,
    target=LM,
)
# 100 nm away along three axes
START = Affine(TRUTH.matrix + np.outer([60, -80, 50, 0], [0, 0, 0, 1]), source=EM, target=LM)
SETTINGS = RefinementSettings(
    levels=2, affine_iterations=60, deformable_iterations=40, samples=800,
    control_spacing_nm=1500, threads=2, bending_weight=0.01,
)  # fmt: skip


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(3)
    waves, phase = rng.normal(size=(40, 3)) / 500, rng.uniform(0, 2 * np.pi, 40)

    def texture(points):
        return np.cos(points @ waves.T + phase).sum(axis=1).astype(np.float32)

    fixed = texture(FIXED.points()).reshape(FIXED.shape_zyx)
    moving = texture(TRUTH.inverse().apply_points(MOVING.points())).reshape(MOVING.shape_zyx)
    return fixed, moving


def errors(transform):
    points = FIXED.points()[::41]
    return np.linalg.norm(transform.apply_points(points) - TRUTH.apply_points(points), axis=1)


def landmarks():
    points = FIXED.points()[::997]
    ids = tuple(f"p{i}" for i in range(len(points)))
    return LandmarkPairs(
        fixed=LandmarkSet(space=EM, ids=ids, points_zyx_nm=points),
        moving=LandmarkSet(space=LM, ids=ids, points_zyx_nm=TRUTH.apply_points(points)),
    )


@needs_elastix
def test_several_metrics_on_two_threads_do_not_crash_and_find_the_truth(images, monkeypatch):
    kept = []
    rebuild = elastix_module.from_parameter_maps
    monkeypatch.setattr(
        elastix_module, "from_parameter_maps", lambda m, **k: kept.append(m) or rebuild(m, **k)
    )
    mask = np.ones(FIXED.shape_zyx, bool)
    mask[:2] = False
    found = ElastixBackend().refine(
        images[0], FIXED, images[1], MOVING, START, mask=mask, landmarks=landmarks(),
        settings=SETTINGS,
    )  # fmt: skip
    assert np.median(errors(START)) > 100
    assert np.median(errors(found)) < 25
    # the same numbers in SimpleITK give the same map
    sitk = pytest.importorskip("SimpleITK")
    queue = [sitk_affine(START), *map(sitk_part, kept[0])]
    composite = sitk.CompositeTransform(queue[::-1])
    points = FIXED.to_physical([[10, 17, 19], [4, 9, 30], [15, 25, 7]])
    theirs = [composite.TransformPoint(tuple(p[::-1] / 1000)) for p in points]
    np.testing.assert_allclose(
        found.apply_points(points), 1000 * np.array(theirs)[:, ::-1], atol=1e-6
    )


def sitk_affine(affine):
    import SimpleITK as sitk

    out = sitk.AffineTransform(3)
    out.SetMatrix(affine.linear[::-1, ::-1].ravel().tolist())
    out.SetTranslation((affine.translation_zyx_nm[::-1] / 1000).tolist())
    return out


def sitk_part(values):
    import SimpleITK as sitk

    def numbers(name):
        return [float(word) for word in values[name]]

    if values["Transform"][0] == "AffineTransform":
        out = sitk.AffineTransform(3)
        out.SetFixedParameters(numbers("CenterOfRotationPoint"))
    else:
        out = sitk.BSplineTransform(3, 3)
        direction = np.array(numbers("GridDirection")).reshape(3, 3).T.ravel().tolist()
        out.SetFixedParameters(
            numbers("GridSize") + numbers("GridOrigin") + numbers("GridSpacing") + direction
        )
    out.SetParameters(numbers("TransformParameters"))
    return out


@needs_elastix
@pytest.mark.skipif(sys.platform != "linux", reason="seen in the Linux wheels")
def test_the_default_threader_still_crashes(images, monkeypatch):
    # when this fails, a new wheel is sound and the threader setting may go
    run = elastix_module.run_worker
    monkeypatch.setattr(
        elastix_module,
        "run_worker",
        lambda *a, **k: run(*a, **{**k, "environment": {"ITK_GLOBAL_DEFAULT_THREADER": "TBB"}}),
    )
    with pytest.raises(NotConvergedError, match="signal 11"):
        ElastixBackend().refine(images[0], FIXED, images[1], MOVING, START, settings=SETTINGS)


@needs_elastix
def test_threads_do_not_change_the_result(images):
    from dataclasses import replace

    quick = replace(SETTINGS, affine_iterations=0, deformable_iterations=20)
    one, two = (
        ElastixBackend().refine(
            images[0], FIXED, images[1], MOVING, START, settings=replace(quick, threads=n)
        )
        for n in (1, 2)
    )
    np.testing.assert_allclose(errors(one), errors(two), atol=1e-6)


@needs_elastix
@pytest.mark.parametrize("facade", [False, True])
def test_both_import_routes_work_and_the_threader_is_heard(facade):
    # pins the private module names; a new wheel that renames them fails here, not at a user's
    script = (
        "from clemkit.registration.engines.elastix_worker import load_engine; import json, itk; "
        f"e = load_engine({facade}); m = e.Method.New(); "
        "print(json.dumps([e.route, type(m).__name__, type(e.Parameters.New()).__name__, "
        "m.GetMultiThreader().GetNameOfClass()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "ITK_GLOBAL_DEFAULT_THREADER": "Pool"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    route, *names = json.loads(done.stdout.splitlines()[-1])
    assert route == ("facade" if facade else "wrapped modules")
    assert names == [
        "itkElastixRegistrationMethodIF3IF3", "elastixParameterObject", "PoolMultiThreader",
    ]  # fmt: skip


@needs_greedy
def test_greedy_finds_the_truth(images):
    settings = RefinementSettings(
        levels=2, affine_iterations=40, deformable_iterations=20, control_spacing_nm=2500
    )
    found = GreedyBackend().refine(
        images[0], FIXED, images[1], MOVING, START, settings=settings
    )  # fmt: skip
    assert np.median(errors(found)) < 40
