"""Real landmark files: their traps, and landmark-only registration of expert sets."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.errors import RegistrationError, TooFewLandmarksError, UnitError
from clemkit.geometry import Space
from clemkit.landmarks import LandmarkPairs
from clemkit.landmarks.geometry_files import read_geometry, write_geometry
from clemkit.landmarks.io import read_landmark_pairs, read_pairs_file
from clemkit.registration.landmark_fit import register_landmarks
from clemkit.transforms import fit_affine, fit_thin_plate_spline
from clemkit.workflows.landmarks import convert_landmarks, sample_landmarks

EM, LM = Space("em"), Space("lm")
SPACES = {"moving_space": LM, "fixed_space": EM}
LARVA = "larva-landmarks/Brain_Lineage_Landmarks_EMtoEM_ProjectSpace.csv"
LUNG = "lung-ct-points/CT_3D_lung_{}_point_set_corrected.txt"

pytestmark = pytest.mark.shared


def lung(shared_data) -> LandmarkPairs:
    moving, fixed = (shared_data / LUNG.format(side) for side in ("moving", "fixed"))
    return read_pairs_file(moving, fixed_path=fixed, unit="mm", **SPACES).pairs


def held_out_median(pairs: LandmarkPairs, fit) -> float:
    """Median error of nested 10-fold cross-validation over three orders."""
    errors = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(pairs))
        for k in range(10):
            test, train = order[k::10], np.setdiff1d(order, order[k::10])
            predicted = fit(pairs.select(train)).apply_points(pairs.fixed.points_zyx_nm[test])
            left = predicted - pairs.moving.points_zyx_nm[test]
            errors.append(np.linalg.norm(left, axis=1))
    return float(np.median(np.concatenate(errors)))


def affine(p: LandmarkPairs):
    return fit_affine(
        p.fixed.points_zyx_nm, p.moving.points_zyx_nm, source=EM, target=LM, allow_reflection=True
    )


def interpolating(p: LandmarkPairs):
    return fit_thin_plate_spline(
        p.fixed.points_zyx_nm, p.moving.points_zyx_nm, source=EM, target=LM, allow_reflection=True
    )


def clemkit(p: LandmarkPairs):
    return register_landmarks(p, allow_reflection=True).fixed_to_moving


def test_larva_has_cr_line_ends_and_a_mirror_that_is_refused(shared_data) -> None:
    file = read_pairs_file(shared_data / LARVA, unit="nm", **SPACES)
    assert len(file.pairs) == 80
    assert file.pairs.ids[0] == "BAla12"
    np.testing.assert_allclose(file.pairs.moving.points_zyx_nm[0], [44500, 62777.9, 79884.55])
    with pytest.raises(RegistrationError, match=r"mirrored.*--allow-reflection"):
        register_landmarks(file.pairs)
    result = register_landmarks(file.pairs, allow_reflection=True)
    assert result.reflection
    assert result.error_estimate.median_nm < 2000
    assert "landmarks.mirror" in {f["rule"] for f in result.details["findings"]}


def test_expert_sets_are_predicted_better_than_by_affine_and_interpolation(shared_data) -> None:
    larva = read_landmark_pairs(shared_data / LARVA, unit="nm", **SPACES)
    for pairs in (lung(shared_data), larva):
        ours = held_out_median(pairs, clemkit)
        assert ours <= held_out_median(pairs, affine)
        assert ours <= held_out_median(pairs, interpolating)


def test_lung_points_in_millimetres(shared_data) -> None:
    pairs = lung(shared_data)
    assert len(pairs) == 51
    result = register_landmarks(pairs)
    assert result.method == "landmarks-tps"
    assert 1e6 < result.error_estimate.median_nm < 2e6
    assert result.jacobian.folded_fraction == 0
    with pytest.raises(UnitError, match="--units"):
        read_pairs_file(
            shared_data / LUNG.format("moving"),
            fixed_path=shared_data / LUNG.format("fixed"),
            **SPACES,
        )


def test_bigwarp_csv_and_json_hold_the_same_pairs(shared_data) -> None:
    folder = shared_data / "bigwarp-formats"
    table = read_landmark_pairs(folder / "platy-tps-landmarks.csv", unit="um", **SPACES)
    document = read_landmark_pairs(folder / "bigwarp_mri_stack_landmarks.json", unit="um", **SPACES)
    assert len(table) == len(document) == 9
    np.testing.assert_allclose(table.fixed.points_zyx_nm, document.fixed.points_zyx_nm)
    np.testing.assert_allclose(table.moving.points_zyx_nm, document.moving.points_zyx_nm)


def test_five_platynereis_landmarks_give_a_similarity_and_a_doubt(shared_data) -> None:
    path = shared_data / "platy-sbem-xray" / "big-warp-landmarks.csv"
    pairs = read_landmark_pairs(path, unit="um", **SPACES)
    result = register_landmarks(pairs)
    assert result.details["model"] == "similarity"
    assert result.status == "uncertain"
    assert 2000 < result.fit_residuals_nm.max() < 12_000
    with pytest.raises(TooFewLandmarksError):
        register_landmarks(pairs.select(np.arange(2)))


def test_skeletons_pass_through(shared_data, tmp_path) -> None:
    path = shared_data / "larva-landmarks" / "BAmv12_dor loop left.swc"
    geometry = read_geometry(path, unit="nm")
    np.testing.assert_allclose(geometry.points_zyx_nm[0], [21600.0, 46386.6, 86727.2])
    write_geometry(tmp_path / "same.swc", geometry, geometry.points_zyx_nm)
    assert (tmp_path / "same.swc").read_bytes() == path.read_bytes()


def test_converting_and_sampling_leave_records(shared_data, tmp_path) -> None:
    done = convert_landmarks(
        shared_data / LARVA, tmp_path / "larva.csv", units="nm", output_units="um"
    )
    assert (done["landmarks"], done["units"], done["pairs"]) == (80, "um", True)
    back = read_landmark_pairs(tmp_path / "larva.csv", unit="um", **SPACES)
    given = read_landmark_pairs(shared_data / LARVA, unit="nm", **SPACES)
    np.testing.assert_allclose(back.fixed.points_zyx_nm, given.fixed.points_zyx_nm)
    assert (tmp_path / "larva.csv.provenance.json").is_file()
    found = sample_landmarks(
        shared_data / "mito-fibsem" / "labels.ome.tif", tmp_path / "mito.csv", kind="centroid"
    )
    assert found["objects"] == found["landmarks"] == 38
    assert (tmp_path / "mito.csv").read_text().count("\n") == 39
