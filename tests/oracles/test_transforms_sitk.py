"""Point by point against SimpleITK, on asymmetric, anisotropic, off-zero grids."""

import numpy as np
import pytest

from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine, BSpline, DisplacementField, compose, sample

sitk = pytest.importorskip("SimpleITK")

LM, EM = Space("lm"), Space("em")
GRID = Grid(
    space=LM,
    shape_zyx=(7, 11, 13),
    voxel_size_zyx_nm=(50.0, 8.0, 10.0),
    origin_zyx_nm=(1000.0, -30.0, 77.0),
)
LINEAR = np.array([[1.1, 0.2, 0.0], [-0.3, 0.9, 0.1], [0.0, 0.05, 1.3]])
SHIFT = np.array([500.0, -20.0, 3.0])


def itk_affine(linear: np.ndarray, shift: np.ndarray):
    itk = sitk.AffineTransform(3)
    itk.SetMatrix(linear[::-1, ::-1].ravel().tolist())
    itk.SetTranslation(shift[::-1].tolist())
    return itk


def itk_bspline(spline: BSpline):
    lattice = spline.lattice
    itk = sitk.BSplineTransform(3, 3)
    itk.SetFixedParameters(
        [
            *map(float, lattice.shape_zyx[::-1]),
            *lattice.origin_zyx_nm[::-1],
            *lattice.voxel_size_zyx_nm[::-1],
            *np.eye(3).ravel().tolist(),
        ]
    )
    # all x components first, x fastest within
    itk.SetParameters(np.moveaxis(spline.coefficients_zyx_nm, 3, 0)[::-1].ravel().tolist())
    return itk


def itk_field(field: DisplacementField):
    values = np.ascontiguousarray(field.displacement_zyx_nm[..., ::-1])
    image = sitk.GetImageFromArray(values, isVector=True)
    image.SetSpacing(field.grid.voxel_size_zyx_nm[::-1])
    image.SetOrigin(field.grid.origin_zyx_nm[::-1])
    return sitk.DisplacementFieldTransform(image)


def through(itk, points: np.ndarray) -> np.ndarray:
    return np.array([itk.TransformPoint(p[::-1].tolist())[::-1] for p in points])


def bspline(rng: np.random.Generator) -> BSpline:
    lo, hi = GRID.corners().min(axis=0), GRID.corners().max(axis=0)
    flat = BSpline.covering(lo, hi, [120, 30, 40], source=LM, target=EM)
    values = rng.normal(0, 9, flat.coefficients_zyx_nm.shape)
    return BSpline(values, flat.lattice, LM, EM)


def test_affine_maps_points_as_itk(rng):
    points = rng.normal(0, 1e4, (100, 3))
    affine = Affine.from_parts(LINEAR, SHIFT, source=LM, target=EM)
    expected = through(itk_affine(LINEAR, SHIFT), points)
    assert np.allclose(affine.apply_points(points), expected, atol=1e-9)


def test_bspline_maps_points_as_itk_inside_the_domain(rng):
    spline = bspline(rng)
    lo, hi = spline.domain_zyx_nm
    points = np.concatenate([rng.uniform(lo, hi, (300, 3)), [lo + 1e-6, hi - 1e-6]])
    expected = through(itk_bspline(spline), points)
    assert np.abs(expected - points).max() > 5
    assert np.allclose(spline.apply_points(points), expected, atol=1e-9)


def test_the_domain_is_where_itk_moves_points(rng):
    spline = bspline(rng)
    lo, hi = spline.domain_zyx_nm
    itk = itk_bspline(spline)
    middle = (lo + hi) / 2
    for axis in range(3):
        for edge, outward in ((lo[axis], -1e-3), (hi[axis], 1e-3)):
            point = middle.copy()
            point[axis] = edge + outward
            assert np.array_equal(through(itk, point[None])[0], point)
            assert not spline.contains(point[None])[0]
            point[axis] = edge - outward
            assert not np.allclose(through(itk, point[None])[0], point)
            assert spline.contains(point[None])[0]


def test_refined_bspline_is_still_the_one_of_itk(rng):
    spline = bspline(rng)
    lo, hi = spline.domain_zyx_nm
    points = rng.uniform(lo, hi, (100, 3))
    expected = through(itk_bspline(spline), points)
    assert np.allclose(spline.refine().apply_points(points), expected, atol=1e-9)
    assert np.allclose(through(itk_bspline(spline.refine()), points), expected, atol=1e-9)


def test_field_maps_points_as_itk_between_the_centres(rng):
    field = DisplacementField(rng.normal(0, 9, (7, 11, 13, 3)), GRID, LM, EM)
    points = GRID.to_physical(rng.uniform(0, [6, 10, 12], (300, 3)))
    expected = through(itk_field(field), points)
    assert np.abs(expected - points).max() > 5
    assert np.allclose(field.apply_points(points), expected, atol=1e-9)


def test_sampled_bspline_is_the_field_that_itk_samples(rng):
    spline = bspline(rng)
    converter = sitk.TransformToDisplacementFieldFilter()
    converter.SetSize(GRID.shape_zyx[::-1])
    converter.SetOutputSpacing(GRID.voxel_size_zyx_nm[::-1])
    converter.SetOutputOrigin(GRID.origin_zyx_nm[::-1])
    expected = sitk.GetArrayFromImage(converter.Execute(itk_bspline(spline)))[..., ::-1]
    assert np.allclose(sample(spline, GRID).displacement_zyx_nm, expected, atol=1e-9)


def test_chains_apply_in_the_order_they_are_written(rng):
    spline = bspline(rng)
    affine = Affine.from_parts(LINEAR, SHIFT, source=EM, target=Space("ct"))
    # ITK applies the transform that was added last first
    itk = sitk.CompositeTransform([itk_affine(LINEAR, SHIFT), itk_bspline(spline)])
    points = GRID.points()
    expected = through(itk, points)
    assert np.allclose(compose(spline, affine).apply_points(points), expected, atol=1e-9)


def test_an_image_is_pulled_as_itk_resamples_it(rng):
    field = DisplacementField(rng.normal(0, 9, (7, 11, 13, 3)), GRID, LM, EM)
    ramp = (GRID.points() @ [0.3, -2.0, 1.0]).reshape(GRID.shape_zyx)
    image = sitk.GetImageFromArray(ramp)
    image.SetSpacing(GRID.voxel_size_zyx_nm[::-1])
    image.SetOrigin(GRID.origin_zyx_nm[::-1])
    pulled = sitk.Resample(image, image, itk_field(field), sitk.sitkLinear, np.nan)
    at = field.apply_points(GRID.points())
    expected = (at @ [0.3, -2.0, 1.0]).reshape(GRID.shape_zyx)
    known = np.isfinite(sitk.GetArrayFromImage(pulled))
    inner = np.all((GRID.to_index(at) >= 0) & (GRID.to_index(at) <= [6, 10, 12]), axis=1)
    inner = inner.reshape(GRID.shape_zyx) & known
    assert inner.sum() > 200
    assert np.allclose(sitk.GetArrayFromImage(pulled)[inner], expected[inner], atol=1e-6)
