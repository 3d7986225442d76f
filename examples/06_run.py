"""For the facility: from raw files and a protocol to registered, described, packaged data.

A phantom cell stands for the microscopes: FIB-SEM slices as TIFF files, a confocal stack as
OME-TIFF, and landmarks that nobody but the evaluation reads. `clemkit run` does the rest: it reads
the protocol, segments, registers, warps, measures the error, completes the description, writes it
as linked data, and builds packages for EMPIAR and the BioImage Archive. Stop it at any time and
start it again: it goes on.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import tifffile

from clemkit.cli.main import main
from clemkit.landmarks.io import write_bigwarp_csv
from clemkit.testing import PhantomSpec, make_clem_phantom
from clemkit.volumes import write_ome_tiff

HERE = Path(__file__).parent / "run"


def make_experiment(folder: Path, seed: int = 2) -> Path:
    """Make the folder of an experiment with raw files, and return its description."""
    spec = PhantomSpec.small(
        seed=seed,
        em_size_zyx_nm=(3000.0, 6000.0, 7000.0),
        em_voxel_zyx_nm=(125.0, 100.0, 100.0),
        mitochondria_per_cell=700,
        cell_spacing_nm=12000.0,
        rotation_max_deg=20.0,
    )
    phantom = make_clem_phantom(spec)
    (folder / "raw" / "em").mkdir(parents=True)
    (folder / "raw" / "lm").mkdir()
    per_cm = 1e7 / phantom.em.grid.voxel_size_zyx_nm[2]
    for number, plane in enumerate(phantom.em.read(), 1):
        path = folder / "raw" / "em" / f"slice_{number:04}.tif"
        tifffile.imwrite(
            path, np.asarray(plane), resolution=(per_cm, per_cm), resolutionunit="CENTIMETER"
        )
    write_ome_tiff(folder / "raw" / "lm" / "cell.ome.tif", phantom.lm)
    write_bigwarp_csv(folder / "raw" / "landmarks.csv", phantom.heldout, unit="um")
    for name in ("experiment.yaml", "run.yaml", "protocol.md"):
        shutil.copy(HERE / name, folder / name)
    return folder / "experiment.yaml"


if __name__ == "__main__":
    OUTPUT = Path("example-output") / "06"
    shutil.rmtree(OUTPUT, ignore_errors=True)
    description = make_experiment(OUTPUT)
    print("$ clemkit run", description)
    sys.exit(main(["run", str(description)]))
