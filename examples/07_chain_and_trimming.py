"""From light through X-rays to electrons, and the numbers for the ultramicrotome.

A phantom tissue block stands for your files. Before the block is cut, landmarks picked by hand in
light microscopy and micro-CT tell where a target lies below the block face. Afterwards the EM
volume is found in the CT by its nuclei, and the way from light to EM follows.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from clemkit import Affine, LandmarkPairs, LandmarkSet, Space
from clemkit.landmarks.io import write_bigwarp_csv
from clemkit.testing import XraySpec, make_xray_phantom
from clemkit.volumes import write_ome_tiff
from clemkit.workflows.evaluate import compare_landmarks
from clemkit.workflows.open_registration import open_registration
from clemkit.workflows.register_graph import register_graph
from clemkit.workflows.trimming import predict_target

DESCRIPTION = """\
id: chain
name: Light, X-ray and electron microscopy of one block
model_version: 0.1.0
images:
  - {id: lm, name: Two-photon stack, image_kind: raw, modality: lm}  # only its landmarks are used
  - {id: ct, name: Micro-CT, image_kind: raw, modality: xray_ct,
     file_set: {directory: files, file_pattern: ct.ome.tif}}
  - {id: em, name: SBF-SEM, image_kind: raw, modality: em,
     file_set: {directory: files, file_pattern: em.ome.tif}}
  - {id: em-nuclei, name: Nuclei, image_kind: segmentation, modality: em, derived_from_images: [em],
     file_set: {directory: files, file_pattern: em_nuclei.ome.tif}}
correlations:
  - {id: lm-to-ct, fixed_image: ct, moving_image: lm, landmark_file: files/lm-to-ct.csv}
  - {id: ct-to-em, fixed_image: em, moving_image: ct,
     structures_used: [{term: GO:0005634, term_label: nucleus}]}
"""
SETTINGS = """\
correlations:
  lm-to-ct: {landmark_unit: um}
  ct-to-em: {settings: {any_orientation: false, max_tilt_deg: 6}}  # it was not turned much
"""


def make_files(folder: Path) -> tuple[Affine, LandmarkPairs]:
    """Write the files; return the true map from CT to LM, and true pairs of EM and CT."""
    spec = XraySpec.for_level(
        "easy", seed=1, em_voxel_zyx_nm=(600.0, 500.0, 500.0), ct_voxel_zyx_nm=(700.0,) * 3
    )
    phantom = make_xray_phantom(spec)
    (folder / "files").mkdir(parents=True)
    write_ome_tiff(folder / "files" / "em.ome.tif", phantom.em)
    write_ome_tiff(folder / "files" / "em_nuclei.ome.tif", phantom.em_nuclei)
    # air above a face that leans by some degrees
    grid = phantom.ct.grid
    z, y, x = (grid.points()[:, axis].reshape(grid.shape_zyx) for axis in range(3))
    values = phantom.ct.read().copy()
    values[z < 6000 + 0.04 * y + 0.02 * x] = 1500
    write_ome_tiff(folder / "files" / "ct.ome.tif", replace(phantom.ct, data=values))
    # the light microscope saw the tissue 6 % larger, turned by 20 degrees
    rng = np.random.default_rng(7)
    c, s = np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))
    linear = 1.06 * np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    ct, lm = Space("ct"), Space("lm")
    ct_to_lm = Affine.from_parts(linear, [4000.0, -9000.0, 25000.0], source=ct, target=lm)
    picked = rng.uniform(0.1, 0.9, (24, 3)) * grid.extent_zyx_nm
    seen = ct_to_lm.apply_points(picked) + rng.normal(0, 700, picked.shape)  # a hand trembles
    names = tuple(f"vessel {n}" for n in range(len(picked)))
    pairs = LandmarkPairs(
        moving=LandmarkSet(space=lm, ids=names, points_zyx_nm=seen),
        fixed=LandmarkSet(space=ct, ids=names, points_zyx_nm=picked),
    )
    write_bigwarp_csv(folder / "files" / "lm-to-ct.csv", pairs, unit="um")
    return ct_to_lm, phantom.heldout


if __name__ == "__main__":
    OUTPUT = Path("example-output") / "07"
    shutil.rmtree(OUTPUT, ignore_errors=True)
    ct_to_lm, em_and_ct = make_files(OUTPUT)
    (OUTPUT / "experiment.yaml").write_text(DESCRIPTION, encoding="utf-8")
    (OUTPUT / "run.yaml").write_text(SETTINGS, encoding="utf-8")

    # --- all registrations of the description, and what follows from them
    found = register_graph(OUTPUT / "experiment.yaml", OUTPUT / "graph", seed=0)
    for edge in found["edges"]:
        if edge["status"] == "failed":
            raise SystemExit(f"{edge['name']}: {edge['reason']}")
        print(f"{edge['name']}: {edge['status']}, error {edge['error_nm']['median']:.0f} nm")
    for pair in found["pairs"]:
        if len(pair["edges"]) > 1:
            error = pair["error_nm"]
            print(
                f"{' - '.join(pair['path'])}: {error['median']:.0f} nm expected, 90 % interval "
                f"{error['low']:.0f} to {error['high']:.0f} nm"
            )

    # --- the true error of the composed way, at places that nothing was fitted to
    composed = open_registration(OUTPUT / "graph" / "composed" / "lm-to-em")
    truth = LandmarkPairs(
        fixed=replace(em_and_ct.fixed, space=composed.fixed_to_moving.source),
        moving=replace(
            em_and_ct.moving,
            space=composed.fixed_to_moving.target,
            points_zyx_nm=ct_to_lm.apply_points(em_and_ct.moving.points_zyx_nm),
        ),
    )
    true = compare_landmarks(composed.fixed_to_moving, composed.moving_to_fixed, truth)
    print(f"true error of the way: {true['median_nm']:.0f} nm (median of {true['n']})")

    # --- a cell that was seen in light: where is it in the block?
    wanted_ct = np.array([[48000.0, 52000.0, 80000.0]])
    cell = ct_to_lm.apply_points(wanted_ct)[0]
    numbers = predict_target(
        OUTPUT / "graph",
        point_zyx_nm=cell,
        source="lm",
        xray_space="ct",
        xray=OUTPUT / "files" / "ct.ome.tif",
        face_side="z-",
        output=OUTPUT / "target.json",
        picture=OUTPUT / "target.png",
    )
    depth = numbers["depth_nm"]
    slope = np.array([1.0, -0.04, -0.02])
    really = (wanted_ct[0] @ slope - 6000) / np.linalg.norm(slope)
    print(
        f"depth below the face: {depth['value'] / 1000:.2f} um "
        f"({depth['low'] / 1000:.2f} to {depth['high'] / 1000:.2f}); really {really / 1000:.2f} um"
    )
    print(
        f"tilt {numbers['tilt_deg']['value']:+.2f}, knife {numbers['knife_deg']['value']:+.2f} deg"
    )
    print("findings:", json.dumps(numbers["findings"]))
    print("report:", OUTPUT / "graph" / "graph.html")
