"""For the facility: files of an LM stack and an EM volume, registered without a start.

A phantom cell stands for your files. Its LM stack is turned by any angle against the EM volume;
nothing but the files and the mitochondria labels of the EM is given to the registration.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from clemkit.cli.main import main
from clemkit.testing import PhantomSpec, make_clem_phantom, write_phantom


def clemkit(*words: object) -> None:
    """Run a command as in a shell."""
    print("\n$ clemkit", *words)
    status = main([str(word) for word in words])
    if status:
        raise SystemExit(status)


OUTPUT = Path("example-output") / "01"
shutil.rmtree(OUTPUT, ignore_errors=True)
OUTPUT.mkdir(parents=True)

# --- files as they come from the microscopes, and a truth that no command below reads but the last
spec = PhantomSpec.small(
    seed=2,
    em_size_zyx_nm=(4000.0, 8000.0, 9000.0),
    em_voxel_zyx_nm=(125.0, 100.0, 100.0),
    mitochondria_per_cell=700,
    cell_spacing_nm=12000.0,
    rotation_max_deg=180.0,
)
phantom = make_clem_phantom(spec)
files = write_phantom(phantom, OUTPUT / "files")
print(f"the LM stack is turned by {phantom.info['rotation_deg']:.0f} degrees")

# --- what is in a file
clemkit("info", files["lm"])

# --- register; OUT/ holds transforms for other programs, the warped stack and a report
result = OUTPUT / "registration"
clemkit(
    *("register", "--fixed", files["em"], "--fixed-labels", files["em_mitochondria"]),
    *("--moving", files["lm"], "--moving-channel", "mitochondria", "--quiet", "-o", result),
)
print("report:", result / "report.html")

# --- places seen in LM, found in EM
clemkit(
    *("warp", "--registration", result, "--points", files["points_moving"]),
    *("--direction", "moving-to-fixed", "-o", OUTPUT / "points-in-em.csv"),
)

# --- the true error, at structures that nothing above has seen
clemkit("evaluate", "--registration", result, "--landmarks", files["landmarks"], "--units", "um")
