"""Live LM on fixed LM on EM by the engine, and the way from live LM to EM against the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from clemkit.geometry import Space
from clemkit.landmarks import LandmarkSet
from clemkit.testing import PhantomSpec, make_clem_phantom
from clemkit.transforms import Affine
from clemkit.transforms.io.affine_fit import best_affine
from clemkit.volumes import write_ome_tiff
from clemkit.workflows.evaluate import compare_landmarks
from clemkit.workflows.open_registration import open_registration
from clemkit.workflows.register_graph import register_graph

DESCRIPTION = """\
id: chain
name: Live cell, fixed cell, EM
model_version: 0.1.0
images:
  - {id: em, name: EM, image_kind: raw, modality: em,
     file_set: {directory: f, file_pattern: em.ome.tif}}
  - {id: em-mito, name: mito, image_kind: segmentation, modality: em, derived_from_images: [em],
     file_set: {directory: f, file_pattern: em_mito.ome.tif}}
  - {id: fixed-lm, name: fixed, image_kind: raw, modality: lm,
     file_set: {directory: f, file_pattern: fixed_lm.ome.tif}}
  - {id: live-lm, name: live, image_kind: raw, modality: lm,
     file_set: {directory: f, file_pattern: live_lm.ome.tif}}
correlations:
  - {id: fixed-to-em, fixed_image: em, moving_image: fixed-lm,
     structures_used: [{term: GO:0005739, term_label: mitochondrion}]}
  - {id: live-to-fixed, fixed_image: fixed-lm, moving_image: live-lm}
  - id: live-to-em
    fixed_image: em
    moving_image: live-lm
    transforms: [{transform_kind: affine, transform_direction: fixed_to_moving, matrix_axes: zyx,
                  matrix_unit: nm, matrix: [MATRIX]}]
    correlation_errors: [{error_kind: estimate, error_median: 250 nm}]
"""
SETTINGS = """\
correlations:
  fixed-to-em: {settings: {any_orientation: false, max_tilt_deg: 6}, moving_channel: 0}
  live-to-fixed: {settings: {any_orientation: false, max_tilt_deg: 6}, fixed_channel: 0,
                  moving_channel: 0}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> SimpleNamespace:
    folder: Path = tmp_path_factory.mktemp("live")
    (folder / "f").mkdir()
    phantom = make_clem_phantom(
        PhantomSpec.small(
            2,
            em_size_zyx_nm=(3000.0, 6000.0, 7000.0),
            em_voxel_zyx_nm=(125.0, 100.0, 100.0),
            mitochondria_per_cell=700,
            cell_spacing_nm=12_000.0,
            rotation_max_deg=20.0,
            psf="gaussian",  # a one-sided one shifts all structures; no estimate can see that
        )
    )
    grid = phantom.lm.grid
    c, s = np.cos(np.deg2rad(8)), np.sin(np.deg2rad(8))
    linear = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    shift = grid.centre_zyx_nm - linear @ grid.centre_zyx_nm + [100.0, 300.0, -400.0]
    live_to_fixed = Affine.from_parts(linear, shift, source=grid.space, target=grid.space)
    index = grid.to_index(live_to_fixed.apply_points(grid.points())).T
    rng = np.random.default_rng(5)
    planes = []
    for channel in range(phantom.lm.channel_count):
        image = phantom.lm.read(channel=channel).astype(float)
        seen = map_coordinates(image, index, order=1, mode="nearest").reshape(grid.shape_zyx)
        seen += rng.normal(0, 0.03 * image.max(), seen.shape)
        planes.append(np.clip(seen, 0, 65535).astype(phantom.lm.dtype))
    write_ome_tiff(folder / "f" / "em.ome.tif", phantom.em)
    write_ome_tiff(folder / "f" / "em_mito.ome.tif", phantom.em_mitochondria)
    write_ome_tiff(folder / "f" / "fixed_lm.ome.tif", phantom.lm)
    write_ome_tiff(folder / "f" / "live_lm.ome.tif", replace(phantom.lm, data=np.stack(planes)))
    em, live = Space("em"), Space("live-lm")
    to_fixed = best_affine(phantom.truth, phantom.em.grid).moving_to_fixed.inverse()
    rough = np.linalg.inv(live_to_fixed.matrix) @ to_fixed.matrix
    numbers = ", ".join(repr(float(v)) for v in rough.ravel())
    (folder / "experiment.yaml").write_text(DESCRIPTION.replace("MATRIX", numbers))
    (folder / "run.yaml").write_text(SETTINGS)
    found = register_graph(folder / "experiment.yaml", folder / "G", workers=1)
    heldout = phantom.heldout
    there = live_to_fixed.inverse().apply_points(heldout.moving.points_zyx_nm)
    truth = replace(
        heldout,
        fixed=replace(heldout.fixed, space=em),
        moving=LandmarkSet(space=live, ids=heldout.moving.ids, points_zyx_nm=there),
    )
    places = (heldout.fixed.points_zyx_nm, heldout.moving.points_zyx_nm, there)
    return SimpleNamespace(folder=folder, found=found, truth=truth, places=places)


def test_both_registrations_are_made_and_the_loop_closes(run):
    states = {e["name"]: (e["state"], e["status"]) for e in run.found["edges"]}
    assert states == {
        "fixed-to-em": ("done", "ok"),
        "live-to-fixed": ("done", "ok"),
        "live-to-em": ("given", "ok"),
    }
    (loop,) = run.found["loop_closures"]
    assert loop["samples"] > 100
    assert not loop["is_open"]
    assert run.found["findings"] == []


def test_the_composed_way_is_as_good_as_its_parts(run):
    (pair,) = (p for p in run.found["pairs"] if len(p["edges"]) == 2)
    assert pair["path"] == ["em", "fixed-lm", "live-lm"]  # better than the rough direct way
    assert [way["edges"] for way in pair["alternatives"]] == [["live-to-em"]]
    registered = open_registration(run.folder / "G" / pair["folder"])
    figures = compare_landmarks(registered.fixed_to_moving, registered.moving_to_fixed, run.truth)
    assert figures["median_nm"] < 300
    parts = []
    for name, (before, after) in {"fixed-to-em": (0, 1), "live-to-fixed": (1, 2)}.items():
        edge = open_registration(run.folder / "G" / "registration" / name)
        off = edge.fixed_to_moving.apply_points(run.places[before]) - run.places[after]
        parts.append(float(np.median(np.linalg.norm(off, axis=1))))
    assert figures["median_nm"] < 1.2 * sum(parts)
    expected = pair["error_nm"]
    stated = [edge["error_nm"]["median"] for edge in run.found["edges"][:2]]
    assert expected["median"] == pytest.approx(np.hypot(*stated), rel=0.05)  # scales are near one
    assert expected["low"] < expected["median"] < expected["high"]
