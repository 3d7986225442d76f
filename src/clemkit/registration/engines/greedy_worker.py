"""Worker that runs greedy: ``python -m clemkit.registration.engines.greedy_worker FOLDER``.

Reads ``job.json``, ``start.mat``, ``fixed.npy``, ``moving.npy`` and optionally ``mask.npy``; writes
``affine.mat`` (4 x 4, x-y-z, RAS) and ``warp.npy`` (z, y, x, components x, y, z in ITK's LPS).
A process of its own because greedy prints on the file descriptors whatever it is told.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["main"]

EXIT_MISSING = 77


def main(folder: Path) -> int:
    """Run the job in *folder*; return the exit status."""
    try:
        engine = importlib.import_module("picsl_greedy").Greedy3D()
        itk = importlib.import_module("SimpleITK")
    except ImportError as problem:
        print(problem)
        return EXIT_MISSING
    job = json.loads((folder / "job.json").read_text("utf-8"))

    def image(name: str, grid: dict[str, list[float]]) -> Any:
        found = itk.GetImageFromArray(np.load(folder / f"{name}.npy"))
        found.SetSpacing(grid["spacing_xyz"])
        found.SetOrigin(grid["origin_xyz"])
        return found

    objects: dict[str, Any] = {
        "fixed": image("fixed", job["fixed"]),
        "moving": image("moving", job["moving"]),
    }
    if job["mask"]:
        objects["inside"] = image("mask", job["fixed"])
    # matrices go by file: the cache takes no plain array; relative names, since greedy splits words
    os.chdir(folder)
    if job["affine"]:
        engine.execute(job["affine"], **objects)
    if job["deformable"]:
        engine.execute(job["deformable"], **objects, warp=None)
        np.save(folder / "warp.npy", itk.GetArrayFromImage(engine["warp"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
