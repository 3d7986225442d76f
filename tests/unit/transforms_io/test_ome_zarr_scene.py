"""OME-Zarr 0.6 scenes: round trip, schema of the released standard, foreign spellings."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clemkit.errors import ArgumentError, FormatError, NotFoundError, SpaceMismatchError
from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine
from clemkit.transforms.base import Chain
from clemkit.transforms.displacement_field import DisplacementField
from clemkit.transforms.inverse import numerical_inverse
from clemkit.transforms.io.ome_zarr_scene import write_ome_zarr_scene
from clemkit.transforms.io.ome_zarr_scene_reader import read_ome_zarr_scene

EM, LM = Space("em"), Space("lm")


@pytest.fixture
def store(tmp_path: Path, chain: Chain, fixed_grid: Grid, moving_grid: Grid) -> Path:
    path = tmp_path / "scene.ome.zarr"
    back = numerical_inverse(chain, domain=fixed_grid)
    errors = write_ome_zarr_scene(
        path,
        fixed_to_moving=chain,
        moving_to_fixed=back,
        fixed_grid=fixed_grid,
        moving_grid=moving_grid,
    )
    assert 0.0 < errors["forward_max_error_nm"] < 1.0
    assert 0.0 < errors["inverse_max_error_nm"] < 2.0
    return path


def attributes(store: Path, group: str = "") -> dict[str, Any]:
    return json.loads((store / group / "zarr.json").read_text())["attributes"]


def edit(store: Path, change: Callable[[dict[str, Any]], None], group: str = "") -> None:
    path = store / group / "zarr.json"
    data = json.loads(path.read_text())
    change(data["attributes"])
    path.write_text(json.dumps(data))


def registration(data: dict[str, Any]) -> dict[str, Any]:
    return data["ome"]["scene"]["coordinateTransformations"][0]


def test_both_directions_read_back(store: Path, chain: Chain, fixed_grid: Grid) -> None:
    forward, inverse = read_ome_zarr_scene(store)
    assert inverse is not None
    assert (forward.source, forward.target) == (EM, LM)
    assert (inverse.source, inverse.target) == (LM, EM)
    assert isinstance(forward, Chain)
    assert forward.parts[-1] == chain.parts[-1]  # the affine is exact, its spaces too
    points = fixed_grid.points()
    mapped = chain.apply_points(points)
    # the lattice is sampled four times per control spacing
    assert np.abs(forward.apply_points(points) - mapped).max() < 0.5
    assert np.linalg.norm(inverse.apply_points(mapped) - points, axis=1).max() < 2.0


def test_the_other_direction_can_be_asked_for(store: Path) -> None:
    forward, inverse = read_ome_zarr_scene(store, source=LM, target=EM)
    assert inverse is not None
    assert (forward.source, inverse.source) == (LM, EM)
    with pytest.raises(ArgumentError, match="between ct and em"):
        read_ome_zarr_scene(store, source=Space("ct"), target=EM)


def test_affines_and_fields_are_exact(
    tmp_path: Path, field: DisplacementField, affine: Affine, fixed_grid: Grid, moving_grid: Grid
) -> None:
    path = tmp_path / "s.zarr"
    chain = Chain((field, Affine(affine.matrix, source=field.target, target=LM)))
    errors = write_ome_zarr_scene(
        path,
        fixed_to_moving=chain,
        moving_to_fixed=affine.inverse(),
        fixed_grid=fixed_grid,
        moving_grid=moving_grid,
    )
    assert errors == {"forward_max_error_nm": 0.0, "inverse_max_error_nm": 0.0}
    forward, inverse = read_ome_zarr_scene(path)
    assert inverse == affine.inverse()
    assert isinstance(forward, Chain)
    found = forward.parts[0]
    assert isinstance(found, DisplacementField)
    assert np.array_equal(found.displacement_zyx_nm, field.displacement_zyx_nm)
    assert found.grid == field.grid
    assert found.target == field.target


def test_it_is_valid_against_the_released_schema(store: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports are noisy
        ngff = pytest.importorskip("ngff_zarr", reason="the judge is ngff-zarr")
        validate = pytest.importorskip("ngff_zarr.validate").validate
        scene = pytest.importorskip("ngff_zarr.scene", reason="ngff-zarr 0.50 reads scenes")
        validate(attributes(store), version="0.6", model="scene")
        for name in ("forward_0", "inverse_0"):
            group = f"coordinateTransformations/{name}"
            validate(attributes(store, group), version="0.6", model="image")
            image = ngff.from_ome_zarr(str(store / group), validate=True).images[0]
            assert image.dims[0] == "c"
            assert image.axes_types == {"c": "displacement"}
        found = scene.NgffScene.from_ome_zarr(str(store), validate=True)
        (bijection,) = found.coordinateTransformations
        kinds = [step.type for step in bijection.forward.transformations]
        assert kinds == ["displacements", "affine"]
        with pytest.raises(Exception, match="valid"):
            validate({"ome": {"version": "0.6", "scene": {}}}, version="0.6", model="scene")


def test_the_field_sits_where_the_grid_is(store: Path, chain: Chain) -> None:
    data = attributes(store, "coordinateTransformations/forward_0")
    dataset = data["ome"]["multiscales"][0]["datasets"][0]
    scale, shift = dataset["coordinateTransformations"][0]["transformations"]
    assert scale["scale"][0] == 1.0
    spline = chain.parts[0]
    lo, _ = spline.domain_zyx_nm  # type: ignore[attr-defined]
    np.testing.assert_allclose(shift["translation"], [0.0, *lo])
    assert data["clemkit-sampling"]["max_error_nm"] > 0


def test_foreign_spellings_are_read(store: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        del data["clemkit-frames"]
        for system in data["ome"]["scene"]["coordinateSystems"]:
            for axis in system["axes"]:
                axis["unit"] = "micrometer"
        data["ome"]["scene"]["coordinateTransformations"] = [
            {
                "type": "sequence",
                "input": {"name": "em"},
                "output": {"name": "lm"},
                "transformations": [
                    {"type": "mapAxis", "mapAxis": [2, 0, 1]},
                    {"type": "scale", "scale": [2.0, 3.0, 4.0]},
                    {"type": "rotation", "rotation": [[1, 0, 0], [0, 0, -1], [0, 1, 0]]},
                    {"type": "translation", "translation": [1.0, 2.0, 3.0]},
                    {"type": "identity"},
                ],
            }
        ]

    edit(store, change)
    forward, inverse = read_ome_zarr_scene(store)
    found = forward.apply_points([[10.0, 20.0, 30.0]])
    # mapAxis: x, z, y = 30, 10, 20; scaled: 60, 30, 80; turned: 60, -80, 30; shifted in um
    np.testing.assert_allclose(found, [[1060.0, 1920.0, 3030.0]])
    assert inverse is not None
    np.testing.assert_allclose(inverse.apply_points(found), [[10.0, 20.0, 30.0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["ome"].pop("scene"), "expected ome.scene"),
        (lambda d: registration(d).update(type="byDimension"), "found 'byDimension'"),
        (lambda d: registration(d).pop("forward"), "damaged.*forward"),
        (lambda d: registration(d)["forward"].update(transformations=[]), "found none"),
        (
            lambda d: registration(d)["forward"]["transformations"][1].update(affine=[[1, 2]]),
            "expected 3 x 4",
        ),
        (
            lambda d: registration(d)["forward"]["transformations"][0].update(path="lost"),
            "expected a field at 'lost'",
        ),
        (
            lambda d: registration(d)["forward"]["transformations"][0].update(
                interpolation="cubic"
            ),
            "found 'cubic'",
        ),
        (
            lambda d: d["ome"]["scene"]["coordinateSystems"].pop(),
            "expected coordinate system 'lm'",
        ),
        (
            lambda d: d["ome"]["scene"]["coordinateSystems"][0]["axes"].reverse(),
            r"expected axes z, y, x; found \['x'",
        ),
        (
            lambda d: d["ome"]["scene"]["coordinateSystems"][0]["axes"][0].update(unit="meter"),
            "one length unit",
        ),
    ],
)
def test_broken_scenes_are_one_clear_error(
    store: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    edit(store, change)
    with pytest.raises(FormatError, match=message):
        read_ome_zarr_scene(store)


def test_broken_fields_are_one_clear_error(store: Path) -> None:
    group = "coordinateTransformations/forward_0"

    def axes(data: dict[str, Any]) -> None:
        data["ome"]["multiscales"][0]["coordinateSystems"][0]["axes"].pop()

    edit(store, axes, group)
    with pytest.raises(FormatError, match="component, z, y, x"):
        read_ome_zarr_scene(store)


def test_not_a_store(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such store"):
        read_ome_zarr_scene(tmp_path / "none.zarr")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="Zarr v3 group"):
        read_ome_zarr_scene(tmp_path / "empty")
    (tmp_path / "zarr.json").write_text("{")
    with pytest.raises(FormatError, match="Zarr v3 group"):
        read_ome_zarr_scene(tmp_path)


def test_wrong_directions_and_existing_stores_are_refused(
    store: Path, affine: Affine, fixed_grid: Grid, moving_grid: Grid
) -> None:
    grids = {"fixed_grid": fixed_grid, "moving_grid": moving_grid}
    back = affine.inverse()
    with pytest.raises(ArgumentError, match="overwrite=True"):
        write_ome_zarr_scene(store, fixed_to_moving=affine, moving_to_fixed=back, **grids)
    with pytest.raises(SpaceMismatchError):
        write_ome_zarr_scene(
            store, fixed_to_moving=back, moving_to_fixed=affine, overwrite=True, **grids
        )
    write_ome_zarr_scene(
        store, fixed_to_moving=affine, moving_to_fixed=back, overwrite=True, **grids
    )
    assert read_ome_zarr_scene(store) == (affine, back)
    assert [item.name for item in store.parent.iterdir()] == [store.name]
