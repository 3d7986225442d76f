"""A registration written to a folder and read back; opening files by content."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from clemkit.errors import (
    ArgumentError,
    FormatError,
    NotFoundError,
    SpaceMismatchError,
    UnitError,
)
from clemkit.geometry import Box, Grid, Space
from clemkit.transforms import Affine, Transform
from clemkit.transforms.base import Chain
from clemkit.transforms.displacement_field import DisplacementField
from clemkit.transforms.inverse import CertifiedInverse, numerical_inverse
from clemkit.transforms.io import (
    read_registration_transforms,
    read_transform,
    write_registration_transforms,
)
from clemkit.transforms.io.bigwarp import bigwarp_affine_line
from clemkit.transforms.io.sampled_field import sample_over_domain
from clemkit.transforms.thin_plate_spline import ThinPlateSpline, fit_thin_plate_spline

EM, LM = Space("em"), Space("lm")
FILES = {
    "fixed_to_moving.h5", "fixed_to_moving.tfm", "moving_to_fixed.h5", "mobie.json", "bdv.xml",
    "neuroglancer.json", "scene.ome.zarr", "transforms.json", "elastix/TransformParameters.0.txt",
}  # fmt: skip


def write(
    folder: Path, forward: Transform, back: Transform, fixed: Grid, moving: Grid, **more: bool
) -> dict[str, Path]:
    return write_registration_transforms(
        folder,
        fixed_to_moving=forward,
        moving_to_fixed=back,
        fixed_grid=fixed,
        moving_grid=moving,
        **more,
    )


def index(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    return json.loads((folder / "transforms.json").read_text())


def test_a_deformable_registration_comes_back_exactly(
    tmp_path: Path, chain: Chain, fixed_grid: Grid, moving_grid: Grid
) -> None:
    back = numerical_inverse(chain, domain=fixed_grid, tolerance_nm=0.02)
    folder = tmp_path / "a" / "reg"
    files = write(folder, chain, back, fixed_grid, moving_grid)
    assert set(files) == FILES | {"elastix/TransformParameters.1.txt"}
    assert all(path.exists() for path in files.values())
    forward, inverse = read_registration_transforms(folder)
    points = fixed_grid.points()
    mapped = chain.apply_points(points)
    assert np.array_equal(forward.apply_points(points), mapped)
    assert isinstance(inverse, CertifiedInverse)
    assert inverse.tolerance_nm == 0.02
    assert inverse.domain == fixed_grid
    np.testing.assert_allclose(inverse.apply_points(mapped), points, atol=0.05, rtol=0)


def test_the_sampled_inverse_states_an_error_that_holds(
    tmp_path: Path, chain: Chain, fixed_grid: Grid, moving_grid: Grid
) -> None:
    write(tmp_path, chain, numerical_inverse(chain, domain=fixed_grid), fixed_grid, moving_grid)
    stated = index(tmp_path)["files"]["moving_to_fixed.h5"]
    assert stated["exact"] is False
    assert 0 < stated["sampling_error_median_nm"] < stated["sampling_error_max_nm"] < 2.0
    assert 0.1 < stated["certified_fraction"] <= 1.0
    sampled = read_transform(tmp_path / "moving_to_fixed.h5")
    assert (sampled.source, sampled.target) == (LM, EM)
    points = fixed_grid.points()
    mapped = chain.apply_points(points)
    inside = moving_grid.contains(mapped)  # elsewhere there is no moving image
    assert inside.mean() > 0.9
    wrong = np.linalg.norm(sampled.apply_points(mapped[inside]) - points[inside], axis=1)
    assert np.median(wrong) < 2 * stated["sampling_error_median_nm"] + 0.01
    assert wrong.max() < 2 * stated["sampling_error_max_nm"] + 0.01


def test_every_file_says_direction_axes_and_unit(
    tmp_path: Path, chain: Chain, fixed_grid: Grid, moving_grid: Grid
) -> None:
    write(tmp_path, chain, numerical_inverse(chain, domain=fixed_grid), fixed_grid, moving_grid)
    data = index(tmp_path)
    for name, entry in data["files"].items():
        assert {"direction", "axis_order", "unit"} <= set(entry), name
    for name in ("mobie.json", "bdv.xml", "neuroglancer.json"):
        assert data["files"][name]["residual_max_nm"] > 0.1
    scene = data["files"]["scene.ome.zarr"]
    assert (
        scene["inverse_max_error_nm"]
        >= (data["files"]["moving_to_fixed.h5"]["sampling_error_max_nm"])
    )
    assert "residual median" in (tmp_path / "mobie.json").read_text()
    assert "residual median" in (tmp_path / "neuroglancer.json").read_text()


def test_an_affine_registration_is_exact_both_ways(
    tmp_path: Path, affine: Affine, fixed_grid: Grid, moving_grid: Grid
) -> None:
    back = affine.inverse()
    files = write(tmp_path, affine, back, fixed_grid, moving_grid)
    assert set(files) == FILES
    assert read_registration_transforms(tmp_path) == (affine, back)
    data = index(tmp_path)
    assert data["affine_fit"]["residual_max_nm"] == 0.0
    assert data["files"]["moving_to_fixed.h5"]["exact"] is True
    # an exact certified inverse is the same thing in another coat
    certified = numerical_inverse(affine, domain=fixed_grid)
    write(tmp_path, affine, certified, fixed_grid, moving_grid, overwrite=True)
    assert read_registration_transforms(tmp_path) == (affine, back)


@pytest.fixture
def thin_plate(rng: np.random.Generator, affine: Affine, fixed_grid: Grid) -> ThinPlateSpline:
    corners = fixed_grid.corners()
    points = rng.uniform(corners[0], corners[-1], (12, 3))
    moved = affine.apply_points(points) + rng.normal(0, 2, (12, 3))
    return fit_thin_plate_spline(points, moved, source=EM, target=LM)


def test_a_thin_plate_spline_is_recorded_exactly_beside_its_samples(
    tmp_path: Path, thin_plate: ThinPlateSpline, fixed_grid: Grid, moving_grid: Grid
) -> None:
    back = numerical_inverse(thin_plate, domain=fixed_grid, tolerance_nm=0.05)
    files = write(tmp_path, thin_plate, back, fixed_grid, moving_grid)
    assert "fixed_to_moving.json" in files
    assert "elastix" in index(tmp_path)["skipped"]
    forward, _ = read_registration_transforms(tmp_path)
    points = fixed_grid.points()
    assert np.array_equal(forward.apply_points(points), thin_plate.apply_points(points))
    stated = index(tmp_path)["files"]["fixed_to_moving.h5"]
    sampled = read_transform(tmp_path / "fixed_to_moving.h5")
    wrong = np.linalg.norm(sampled.apply_points(points) - thin_plate.apply_points(points), axis=1)
    assert 0 < wrong.max() < 3 * stated["sampling_error_max_nm"]


def test_the_exact_direction_may_be_moving_to_fixed(
    tmp_path: Path, chain: Chain, fixed_grid: Grid, moving_grid: Grid
) -> None:
    # the roles swapped: what was fitted goes from the moving image to the fixed one
    forward = numerical_inverse(chain, domain=fixed_grid, outside="extend")
    write(tmp_path, forward, chain, moving_grid, fixed_grid)
    found, back = read_registration_transforms(tmp_path)
    points = fixed_grid.points()
    assert np.array_equal(back.apply_points(points), chain.apply_points(points))
    assert isinstance(found, CertifiedInverse)
    assert (found.source, found.outside) == (LM, "extend")


def test_a_field_registration_skips_elastix_and_says_so(
    tmp_path: Path,
    field: DisplacementField,
    affine: Affine,
    fixed_grid: Grid,
    moving_grid: Grid,
) -> None:
    smooth = DisplacementField(0.05 * field.displacement_zyx_nm, fixed_grid, EM, field.target)
    chain = Chain((smooth, Affine(affine.matrix, source=field.target, target=LM)))
    back = numerical_inverse(chain, domain=fixed_grid, tolerance_nm=0.1)
    files = write(tmp_path, chain, back, fixed_grid, moving_grid)
    assert not any(name.startswith("elastix") for name in files)
    assert "DisplacementField" in index(tmp_path)["skipped"]["elastix"]


def test_a_dense_field_gets_no_text_file(
    tmp_path: Path, affine: Affine, fixed_grid: Grid, moving_grid: Grid
) -> None:
    fine = fixed_grid.resample((2.0, 2.0, 2.0))
    write(tmp_path, affine, affine.inverse(), fixed_grid, moving_grid)
    zero = DisplacementField(np.zeros((*fine.shape_zyx, 3), np.float32), fine, EM, Space("mid"))
    chain = Chain((zero, Affine(affine.matrix, source=Space("mid"), target=LM)))
    files = write(tmp_path, chain, affine.inverse(), fixed_grid, moving_grid, overwrite=True)
    assert "fixed_to_moving.tfm" not in files
    # what an earlier registration left and this one has not must not stay beside it
    assert not (tmp_path / "fixed_to_moving.tfm").exists()
    assert not (tmp_path / "elastix").exists()
    assert "use fixed_to_moving.h5" in index(tmp_path)["skipped"]["fixed_to_moving.tfm"]
    assert read_registration_transforms(tmp_path)[1] == affine.inverse()


def test_the_inverse_keeps_the_domain_it_was_certified_for(
    tmp_path: Path, chain: Chain, fixed_grid: Grid, moving_grid: Grid
) -> None:
    part = fixed_grid.crop(Box((1, 2, 3), (6, 9, 12)))
    back = numerical_inverse(chain, domain=part)
    write(tmp_path, chain, back, fixed_grid, moving_grid)
    found = read_registration_transforms(tmp_path)[1]
    assert isinstance(found, CertifiedInverse)
    assert found.domain == part


def test_folders_are_not_replaced_silently(
    tmp_path: Path, affine: Affine, chain: Chain, fixed_grid: Grid, moving_grid: Grid
) -> None:
    back = numerical_inverse(chain, domain=fixed_grid)
    write(tmp_path, chain, back, fixed_grid, moving_grid)
    with pytest.raises(ArgumentError, match="overwrite=True"):
        write(tmp_path, affine, affine.inverse(), fixed_grid, moving_grid)
    forward, _ = read_registration_transforms(tmp_path)
    assert isinstance(forward, Chain)
    write(tmp_path, affine, affine.inverse(), fixed_grid, moving_grid, overwrite=True)
    assert read_registration_transforms(tmp_path)[0] == affine
    assert not (tmp_path / "elastix" / "TransformParameters.1.txt").exists()


def test_swapped_directions_are_refused(
    tmp_path: Path, affine: Affine, fixed_grid: Grid, moving_grid: Grid
) -> None:
    with pytest.raises(SpaceMismatchError, match="direction"):
        write(tmp_path / "r", affine.inverse(), affine, fixed_grid, moving_grid)
    assert not (tmp_path / "r").exists()


def test_one_direction_must_be_storable(
    tmp_path: Path, chain: Chain, fixed_grid: Grid, moving_grid: Grid
) -> None:
    back = numerical_inverse(chain, domain=fixed_grid)
    with pytest.raises(ArgumentError, match="_Wrapped"):
        write(tmp_path / "r", _Wrapped(chain), back, fixed_grid, moving_grid)


class _Wrapped:
    """A transform of a kind that no format knows."""

    def __init__(self, inner: Transform) -> None:
        self.source, self.target = inner.source, inner.target
        self.apply_points, self.jacobian = inner.apply_points, inner.jacobian
        self.inverse = inner.inverse


@pytest.mark.parametrize(
    ("text", "message"), [("{}", "damaged index"), ("{", "JSON"), ("[]", "JSON object")]
)
def test_damaged_indexes_are_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(NotFoundError, match=r"transforms\.json"):
        read_registration_transforms(tmp_path)
    (tmp_path / "transforms.json").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_registration_transforms(tmp_path)


def test_sampling_continues_beyond_what_is_certified(
    chain: Chain, fixed_grid: Grid, moving_grid: Grid
) -> None:
    back = numerical_inverse(chain, domain=fixed_grid)
    sampled = sample_over_domain(back, moving_grid)
    assert 0.0 < sampled.covered_fraction < 1.0
    assert np.all(np.isfinite(sampled.transform.apply_points(moving_grid.corners())))
    assert sampled.max_error_nm < 1.0


def test_sampling_is_refined_to_the_target(chain: Chain, fixed_grid: Grid) -> None:
    coarse = sample_over_domain(chain, fixed_grid, target_error_nm=1e9)
    fine = sample_over_domain(chain, fixed_grid, target_error_nm=coarse.max_error_nm / 2)
    # linear interpolation: half the spacing, a quarter of the error
    assert fine.max_error_nm < coarse.max_error_nm / 3
    assert fine.median_error_nm < coarse.median_error_nm / 3


def test_files_are_opened_by_their_content(
    tmp_path: Path, affine: Affine, fixed_grid: Grid, moving_grid: Grid
) -> None:
    write(tmp_path, affine, affine.inverse(), fixed_grid, moving_grid)
    (tmp_path / "fixed_to_moving.h5").rename(tmp_path / "a.bin")
    (tmp_path / "fixed_to_moving.tfm").rename(tmp_path / "b.txt")
    for name in ("a.bin", "b.txt", "elastix/TransformParameters.0.txt", "scene.ome.zarr"):
        assert read_transform(tmp_path / name) == affine
    found = read_transform(tmp_path / "mobie.json", source=LM, target=EM)
    assert isinstance(found, Affine)
    np.testing.assert_allclose(found.matrix, affine.inverse().matrix, rtol=1e-14)
    (tmp_path / "log.txt").write_text(bigwarp_affine_line(affine, unit="nm"))
    ends = {"source": EM, "target": LM}
    assert read_transform(tmp_path / "log.txt", unit="nm", **ends) == affine
    with pytest.raises(UnitError, match="pass unit"):
        read_transform(tmp_path / "log.txt", **ends)
    with pytest.raises(ArgumentError, match="pass source"):
        read_transform(tmp_path / "log.txt", unit="nm")


@pytest.mark.parametrize("content", [b"", b"hello", b'{"a": 1}', b"\x89PNG\r\n\x1a\n"])
def test_unknown_content_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.dat"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"expected ITK \.tfm or \.h5"):
        read_transform(path)
    with pytest.raises(NotFoundError, match="no such file"):
        read_transform(tmp_path / "none")


def test_real_bigwarp_files_open(shared_data: Path) -> None:
    path = shared_data / "bigwarp-formats" / "bigwarp_mri_stack_landmarks.json"
    found = read_transform(path, source=EM, target=LM, unit="um")
    assert isinstance(found, ThinPlateSpline)
    affines = shared_data / "platy-sbem-xray" / "big-warp-transformations.rtf"
    with pytest.raises(FormatError, match="found 2; use read_bigwarp_affines"):
        read_transform(affines, source=EM, target=LM, unit="um")
