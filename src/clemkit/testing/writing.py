"""Write a phantom as a user would find it: images in a folder, the truth beside them."""

from __future__ import annotations

import json
from pathlib import Path

from clemkit.landmarks.io import write_bigwarp_csv, write_named_points
from clemkit.testing.clem import ClemPhantom
from clemkit.testing.xray import XrayPhantom
from clemkit.volumes import write_ome_tiff
from clemkit.volumes.writers.atomic import atomic_output

__all__ = ["write_phantom"]


def write_phantom(
    phantom: ClemPhantom | XrayPhantom, folder: str | Path, *, overwrite: bool = False
) -> dict[str, Path]:
    """Write a phantom into a new folder, all of it or nothing.

    ``em.ome.tif``, the label volumes and ``lm.ome.tif`` (or ``ct.ome.tif``) lie in the folder
    itself. ``truth/`` holds what no registration may read: ``landmarks.csv`` in BigWarp order
    (moving x, y, z then fixed x, y, z, micrometres), ``points_fixed.csv`` and
    ``points_moving.csv`` (``id,z_nm,y_nm,x_nm``, same row order), ``info.json``, and the held-out
    channel and error-free labels.

    Parameters
    ----------
    phantom : ClemPhantom or XrayPhantom
    folder : path
        Must not exist unless *overwrite*.
    overwrite : bool
        Replace an existing folder.

    Returns
    -------
    dict
        Paths by role: ``em``, ``lm`` or ``ct``, ``landmarks``, and so on.

    Raises
    ------
    ArgumentError
        The folder exists and may not be replaced.
    NotFoundError
        The parent folder does not exist.
    """
    target = Path(folder)
    if isinstance(phantom, ClemPhantom):
        volumes = {
            "em": phantom.em,
            "em_mitochondria": phantom.em_mitochondria,
            "em_nuclei": phantom.em_nuclei,
            "em_cells": phantom.em_cells,
            "lm": phantom.lm,
            "truth/lm_heldout": phantom.lm_heldout,
            "truth/em_mitochondria": phantom.em_mitochondria_true,
        }
    else:
        volumes = {
            "em": phantom.em,
            "em_nuclei": phantom.em_nuclei,
            "em_vessels": phantom.em_vessels,
            "ct": phantom.ct,
        }
    paths: dict[str, Path] = {}
    with atomic_output(target, overwrite) as temporary:
        (temporary / "truth").mkdir(parents=True)
        for name, volume in volumes.items():
            write_ome_tiff(temporary / f"{name}.ome.tif", volume)
            paths[name] = target / f"{name}.ome.tif"
        truth = temporary / "truth"
        write_bigwarp_csv(truth / "landmarks.csv", phantom.heldout, unit="um")
        write_named_points(truth / "points_fixed.csv", phantom.heldout.fixed)
        write_named_points(truth / "points_moving.csv", phantom.heldout.moving)
        (truth / "info.json").write_text(json.dumps(phantom.info, indent=1) + "\n", "utf-8")
    for name in ("landmarks.csv", "points_fixed.csv", "points_moving.csv", "info.json"):
        paths[name.split(".")[0]] = target / "truth" / name
    return paths
