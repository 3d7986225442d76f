"""For X-ray users: an EM volume found inside a micro-CT block from its nuclei.

A phantom tissue block stands for your files. The nuclei segmented in EM are matched with the grey
values of the CT, which show them faintly and with noise. The block was not tilted much between the
microscopes; a settings file says so, which spares the search through all orientations.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from clemkit.testing import XraySpec, make_xray_phantom, write_phantom
from clemkit.workflows.evaluate import evaluate_landmarks
from clemkit.workflows.register import register_files

OUTPUT = Path("example-output") / "02"
shutil.rmtree(OUTPUT, ignore_errors=True)
OUTPUT.mkdir(parents=True)

# --- the files, and a truth that only the last step reads
spec = XraySpec.for_level(
    "easy", seed=1, em_voxel_zyx_nm=(600.0, 500.0, 500.0), ct_voxel_zyx_nm=(700.0, 700.0, 700.0)
)
phantom = make_xray_phantom(spec)
files = write_phantom(phantom, OUTPUT / "files")
print(f"EM {phantom.em.grid.shape_zyx}, CT {phantom.ct.grid.shape_zyx}")

# --- what is known beforehand; everything else comes from the data
settings = OUTPUT / "settings.yaml"
settings.write_text("any_orientation: false\nmax_tilt_deg: 10\n", encoding="utf-8")

# --- register; lengths are nanometres throughout
found = register_files(
    files["em"],
    files["ct"],
    OUTPUT / "registration",
    fixed_labels=files["em_nuclei"],
    structure="nuclei",
    moving_modality="xray_ct",
    settings=settings,
    seed=0,
)
estimate = found["tre_estimate_nm"]
print(f"{found['status']}, confidence {found['confidence']:.2f}")
if found["status"] == "failed":
    raise SystemExit(found["reason"])
print(
    f"estimated error: median {estimate['median']:.0f} nm, "
    f"90 % interval {estimate['low']:.0f} to {estimate['high']:.0f} nm"
)
for warning in found["warnings"]:
    print("warning:", warning)

# --- the true error, at places in the neuropil between the nuclei
true = evaluate_landmarks(OUTPUT / "registration", files["landmarks"], units="um")
print(
    f"true error: median {true['median_nm']:.0f} nm, 95th percentile {true['p95_nm']:.0f} nm "
    f"at {true['n']} points"
)
print("report:", OUTPUT / "registration" / "report.html")
