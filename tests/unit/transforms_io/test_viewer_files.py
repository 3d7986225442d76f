"""MoBIE, Neuroglancer, BigDataViewer: where a voxel appears, and back again."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from clemkit.errors import ArgumentError, FormatError, SpaceMismatchError, UnitError
from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine
from clemkit.transforms.base import Chain
from clemkit.transforms.io.affine_fit import AffineFit, best_affine
from clemkit.transforms.io.bdv_xml import read_bdv_xml, write_bdv_xml
from clemkit.transforms.io.mobie import mobie_view, read_mobie, write_mobie
from clemkit.transforms.io.neuroglancer import (
    NeuroglancerLayer,
    neuroglancer_state,
    read_neuroglancer,
    write_neuroglancer,
)

EM, LM = Space("em"), Space("lm")


@pytest.fixture
def to_fixed(affine: Affine) -> Affine:
    return affine.inverse()


@pytest.fixture
def fit(to_fixed: Affine) -> AffineFit:
    return AffineFit(moving_to_fixed=to_fixed, median_nm=1.25, max_nm=7.5, samples=99)


def test_the_best_affine_of_an_affine_is_its_inverse(affine: Affine, fixed_grid: Grid) -> None:
    found = best_affine(affine, fixed_grid)
    assert found.moving_to_fixed == affine.inverse()
    assert (found.median_nm, found.max_nm) == (0.0, 0.0)
    assert found.sentence() == "Affine registration."


def test_the_best_affine_says_what_it_leaves_out(chain: Chain, fixed_grid: Grid) -> None:
    found = best_affine(chain, fixed_grid)
    points = fixed_grid.points()
    wrong = np.linalg.norm(
        found.moving_to_fixed.apply_points(chain.apply_points(points)) - points, axis=1
    )
    assert wrong.max() <= 1.5 * found.max_nm
    assert 0.5 * found.median_nm < np.median(wrong) < 1.5 * found.median_nm
    assert found.max_nm > found.median_nm > 0.1
    assert f"max {found.max_nm:.4g} nm" in found.sentence()


def test_the_best_affine_needs_the_domain_in_its_source(chain: Chain, moving_grid: Grid) -> None:
    with pytest.raises(SpaceMismatchError):
        best_affine(chain, moving_grid)


def test_mobie_reads_back_and_moves_points_to_the_fixed_image(
    tmp_path: Path, fit: AffineFit, moving_grid: Grid
) -> None:
    path = tmp_path / "view.json"
    write_mobie(path, fit, moving_sources=["lm-a", "lm-b"], fixed_sources=["em"])
    view = json.loads(path.read_text())
    assert "median 1.25 nm, max 7.5 nm" in view["description"]
    entry = view["sourceTransforms"][0]["affine"]
    assert entry["sources"] == ["lm-a", "lm-b"]
    assert {"isExclusive", "uiSelectionGroup"} <= set(view)
    # apply it as BigDataViewer does: rows over x, y, z, 1 in micrometres
    rows = np.array(entry["parameters"]).reshape(3, 4)
    points = moving_grid.points()
    xyz = np.column_stack([points[:, ::-1] / 1e3, np.ones(len(points))]) @ rows.T
    expected = fit.moving_to_fixed.apply_points(points)
    np.testing.assert_allclose(xyz[:, ::-1] * 1e3, expected, atol=1e-9, rtol=0)
    found = read_mobie(path, source=LM, target=EM, moving_source="lm-b")
    np.testing.assert_allclose(found.matrix, fit.moving_to_fixed.matrix, rtol=1e-15)


def test_mobie_datasets_have_named_views(tmp_path: Path, to_fixed: Affine) -> None:
    view = mobie_view(to_fixed, moving_sources=["lm"], unit="nm")
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({"views": {"default": {}, "registered": view}}))
    ends = {"source": LM, "target": EM, "unit": "nm"}
    assert read_mobie(path, view="registered", **ends) == to_fixed
    with pytest.raises(FormatError, match="one of the views"):
        read_mobie(path, **ends)
    with pytest.raises(FormatError, match="found none"):
        read_mobie(path, view="default", **ends)
    with pytest.raises(FormatError, match="found 'other'"):
        read_mobie(path, view="registered", moving_source="other", **ends)


def test_mobie_applies_several_affines_in_turn(tmp_path: Path) -> None:
    shift = Affine.from_parts(np.eye(3), [0, 0, 100.0], source=LM, target=EM)
    double = Affine.from_parts(2 * np.eye(3), np.zeros(3), source=LM, target=EM)
    view = mobie_view(shift, moving_sources=["lm"], unit="nm")
    view["sourceTransforms"] += mobie_view(double, moving_sources=["lm"])["sourceTransforms"]
    path = tmp_path / "view.json"
    path.write_text(json.dumps(view))
    found = read_mobie(path, source=LM, target=EM, unit="nm")
    np.testing.assert_allclose(found.apply_points([[0, 0, 0]]), [[0, 0, 200.0]])


@pytest.mark.parametrize("parameters", [[1, 2, 3], ["a"] * 12, None])
def test_broken_mobie_views_are_one_clear_error(
    tmp_path: Path, to_fixed: Affine, parameters: object
) -> None:
    view = mobie_view(to_fixed, moving_sources=["lm"])
    view["sourceTransforms"][0]["affine"]["parameters"] = parameters
    path = tmp_path / "view.json"
    path.write_text(json.dumps(view))
    with pytest.raises(FormatError, match="12"):
        read_mobie(path, source=LM, target=EM)


def test_mobie_names_are_checked(to_fixed: Affine) -> None:
    with pytest.raises(ArgumentError, match="'my image'"):
        mobie_view(to_fixed, moving_sources=["my image"])
    with pytest.raises(ArgumentError, match="moving_sources"):
        mobie_view(to_fixed, moving_sources=[])


@pytest.mark.parametrize("channels", [False, True])
def test_neuroglancer_shows_a_voxel_where_the_affine_puts_it(
    tmp_path: Path, to_fixed: Affine, moving_grid: Grid, fixed_grid: Grid, channels: bool
) -> None:
    layers = [
        NeuroglancerLayer(name="em", url="zarr://em", grid=fixed_grid),
        NeuroglancerLayer(
            name="lm", url="zarr://lm", grid=moving_grid, to_scene=to_fixed, channels=channels
        ),
    ]
    path = tmp_path / "state.json"
    write_neuroglancer(path, layers, title="residual 3 nm")
    state = json.loads(path.read_text())
    assert state["title"] == "residual 3 nm"
    for entry, grid, expected in (
        (state["layers"][0], fixed_grid, fixed_grid.points()),
        (state["layers"][1], moving_grid, to_fixed.apply_points(moving_grid.points())),
    ):
        transform = entry["source"]["transform"]
        rows = np.array(transform["matrix"])[-3:, -4:]
        index = (grid.points() - grid.origin_zyx_nm) / grid.voxel_size_zyx_nm
        scale = np.array([transform["inputDimensions"][a][0] for a in "zyx"]) * 1e9
        shown = (index * scale) @ rows[:, :3].T + rows[:, 3]
        np.testing.assert_allclose(shown, expected, atol=1e-9, rtol=0)
    found = read_neuroglancer(path, layer="lm", grid=moving_grid, target=EM)
    np.testing.assert_allclose(found.matrix, to_fixed.matrix, atol=1e-9, rtol=1e-12)


def test_neuroglancer_scales_only_the_translation(tmp_path: Path, moving_grid: Grid) -> None:
    shift = Affine.from_parts(1.5 * np.eye(3), [0.0, 500.0, 2000.0], source=LM, target=EM)
    layer = NeuroglancerLayer(name="lm", url="u", grid=moving_grid, to_scene=shift)
    state = neuroglancer_state([layer])
    transform = state["layers"][0]["source"]["transform"]
    # another viewer may save x in units of 4 nm, in another order
    transform["outputDimensions"] = {"x": [4e-9, "m"], "y": [1e-3, "um"], "z": [1e-9, "m"]}
    z, y, x = transform["matrix"]
    flip = [2, 1, 0, 3]
    transform["matrix"] = [[x[i] for i in flip], [y[i] for i in flip], [z[i] for i in flip]]
    transform["matrix"][0][3] /= 4
    state["layers"][0]["source"] = [state["layers"][0]["source"]]
    path = tmp_path / "state.json"
    path.write_text(json.dumps(state))
    found = read_neuroglancer(path, layer="lm", grid=moving_grid, target=EM)
    np.testing.assert_allclose(found.matrix, shift.matrix, atol=1e-9)


def test_broken_neuroglancer_states_are_one_clear_error(
    tmp_path: Path, to_fixed: Affine, moving_grid: Grid
) -> None:
    layer = NeuroglancerLayer(name="lm", url="u", grid=moving_grid, to_scene=to_fixed)
    path = tmp_path / "state.json"

    def fails(state: object, match: str, name: str = "lm") -> None:
        path.write_text(json.dumps(state))
        with pytest.raises(FormatError, match=match):
            read_neuroglancer(path, layer=name, grid=moving_grid, target=EM)

    fails(neuroglancer_state([layer]), "one of the layers", "em")
    fails([], "JSON object")
    for key, value in (
        ("outputDimensions", {"z": [1, "m"], "y": [1, "m"]}),
        ("outputDimensions", {"z": [1, "s"], "y": [1, "m"], "x": [1, "m"]}),
        ("matrix", [[1, 0, 0], [0, 1, 0]]),
    ):
        state = neuroglancer_state([layer])
        state["layers"][0]["source"]["transform"][key] = value
        fails(state, "outputDimensions with z, y, x")
    state = neuroglancer_state([layer])
    state["layers"][0]["source"] = "zarr://plain"
    fails(state, "expected a transform")


def test_layers_must_start_in_their_own_space(affine: Affine, moving_grid: Grid) -> None:
    with pytest.raises(SpaceMismatchError, match="direction"):
        NeuroglancerLayer(name="lm", url="u", grid=moving_grid, to_scene=affine)


@pytest.mark.parametrize("unit", ["nm", "micrometer"])
def test_bdv_places_voxels_and_reads_back(
    tmp_path: Path, to_fixed: Affine, moving_grid: Grid, fixed_grid: Grid, unit: str
) -> None:
    path = tmp_path / "bdv.xml"
    write_bdv_xml(path, [("em", fixed_grid, None), ("lm", moving_grid, to_fixed)], unit=unit)
    em, lm = read_bdv_xml(path)
    assert [name for name, _ in lm.steps] == ["registration", "calibration"]
    assert (em.name, lm.name, lm.setup, lm.timepoint) == ("em", "lm", 1, 0)
    index = np.argwhere(np.ones(moving_grid.shape_zyx))
    world = index @ lm.voxel_to_world()[:3, :3].T + lm.voxel_to_world()[:3, 3]
    expected = to_fixed.apply_points(moving_grid.points())
    np.testing.assert_allclose(world, expected, atol=1e-9, rtol=0)
    found = lm.registration(moving_grid, target=EM)
    np.testing.assert_allclose(found.matrix, to_fixed.matrix, atol=1e-9)
    np.testing.assert_allclose(em.registration(fixed_grid, target=EM).matrix, np.eye(4), atol=1e-9)


def test_bdv_applies_the_last_transform_of_the_list_first(
    tmp_path: Path, to_fixed: Affine, moving_grid: Grid
) -> None:
    path = tmp_path / "bdv.xml"
    write_bdv_xml(path, [("lm", moving_grid, to_fixed)], unit="um")
    texts = [item.text or "" for item in ElementTree.parse(path).getroot().iter("affine")]
    total = np.eye(4)
    for text in texts:
        step = np.eye(4)
        step[:3] = np.array([float(v) for v in text.split()]).reshape(3, 4)
        total = total @ step
    corner = total @ [9, 13, 8, 1]  # x, y, z of the last voxel
    expected = to_fixed.apply_points([moving_grid.points()[-1]])[0]
    np.testing.assert_allclose(corner[2::-1] * 1e3, expected, atol=1e-9)


def test_a_real_bdv_file_gives_its_voxel_size(shared_data: Path) -> None:
    (view,) = read_bdv_xml(shared_data / "mito-fibsem" / "image.xml")
    np.testing.assert_allclose(view.voxel_to_world(), np.diag([5.0, 5.0, 5.0, 1.0]))


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("<SpimData", "<Spim", FormatError, "expected XML"),
        ("</ViewSetup>", "", FormatError, "expected XML"),
        ("SpimData", "Spim", FormatError, "SpimData"),
        ('type="affine"', 'type="split"', FormatError, "found 'split'"),
        ("<affine>", "<affine>7 ", FormatError, "12 finite numbers"),
        ("<id>0</id>", "", FormatError, "<id>"),
        ('setup="0"', 'setup="a"', UnitError, "voxelSize unit"),
        ("<unit>um</unit>", "<unit>pixel</unit>", UnitError, "pixel"),
        ("<unit>um</unit>", "", UnitError, "pass unit"),
        ("<SpimData", '<!DOCTYPE a [<!ENTITY b "c">]><SpimData', FormatError, "entity"),
    ],
)
def test_broken_bdv_files_are_one_clear_error(
    tmp_path: Path, moving_grid: Grid, old: str, new: str, error: type[Exception], message: str
) -> None:
    path = tmp_path / "bdv.xml"
    write_bdv_xml(path, [("lm", moving_grid, None)], unit="um")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(error, match=message):
        read_bdv_xml(path)


def test_bdv_views_without_transforms_are_refused(tmp_path: Path, moving_grid: Grid) -> None:
    path = tmp_path / "bdv.xml"
    write_bdv_xml(path, [("lm", moving_grid, None)], unit="um")
    root = ElementTree.parse(path)
    view = next(root.getroot().iter("ViewRegistration"))
    view.clear()
    view.set("setup", "0")
    root.write(path)
    with pytest.raises(FormatError, match="expected a ViewTransform"):
        read_bdv_xml(path)
