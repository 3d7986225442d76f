"""Benchmark cases as plain arrays on disk, so that a method's process only reads and runs.

Adds the kind ``negatives`` to those of ``cases.py``: pairs without a true match. Even seeds pair
the EM block of one specimen with the light image of another; odd seeds keep the specimen's own
light image, but the place where the block came from shows another specimen.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from cases import CACHE, Case, load_case

from clemkit.errors import NotFoundError
from clemkit.geometry import Grid, Space
from clemkit.volumes import Volume

__all__ = ["Problem", "load_prepared", "prepare", "threshold_nm"]

# full width at half maximum of the axial blur that the generators draw by default
_AXIAL_FWHM_NM = {"simulated": 824.0, "phantom": 848.0, "phantom-nuclei": 848.0, "hela": 600.0}


@dataclass(frozen=True, slots=True)
class Problem:
    """One benchmark case by name."""

    kind: str
    level: str
    seed: int
    flip: bool = False

    @property
    def name(self) -> str:
        """Unique, and a valid folder name."""
        return f"{self.kind}-{self.level}-{self.seed}" + ("-flip" if self.flip else "")

    @classmethod
    def parse(cls, name: str) -> Problem:
        """Return the problem of a name."""
        flip = name.endswith("-flip")
        kind, level, seed = name.removesuffix("-flip").rsplit("-", 2)
        return cls(kind, level, int(seed), flip)

    @property
    def negative(self) -> bool:
        """Whether there is no true match."""
        return self.kind == "negatives"


def threshold_nm(problem: Problem, case: Case) -> float:
    """Return what counts as found: the axial PSF of light, three voxels of X-ray CT."""
    if case.moving.modality == "xray_ct":
        return 3 * float(max(case.moving.grid.voxel_size_zyx_nm))
    voxel = float(max(case.moving.grid.voxel_size_zyx_nm))
    return max(_AXIAL_FWHM_NM.get(problem.kind, 850.0), voxel)


def build(problem: Problem) -> Case:
    """Return the case, drawn anew or from the generator's own store."""
    if not problem.negative:
        return load_case(problem.kind, problem.level, problem.seed, z_flip=problem.flip)  # type: ignore[arg-type]
    base = "simulated" if problem.seed % 4 < 2 else "phantom"
    try:
        one = load_case(base, problem.level, problem.seed)  # type: ignore[arg-type]
    except NotFoundError:
        base = "phantom"
        one = load_case(base, problem.level, problem.seed)  # type: ignore[arg-type]
    other = load_case(base, problem.level, problem.seed + 1)  # type: ignore[arg-type]
    if problem.seed % 2 == 0:
        moving = replace(other.moving, grid=replace(other.moving.grid, space=Space("lm")))
        return replace(one, name=problem.name, moving=moving, info={"negative": "unrelated"})
    return replace(
        one,
        name=problem.name,
        moving=_without_field(one, other.moving),
        info={"negative": "field absent", "base": base},
    )


def _without_field(case: Case, other: Volume) -> Volume:
    """Replace the place of the EM block in the light image by that of another specimen."""
    grid = case.moving.grid
    index = grid.to_index(case.truth_moving_zyx_nm)
    low = np.floor(np.percentile(index, 1, axis=0)).astype(int) - 4
    high = np.ceil(np.percentile(index, 99, axis=0)).astype(int) + 5
    low, high = np.maximum(low, 0), np.minimum(high, grid.shape_zyx)
    size = np.minimum(high - low, other.grid.shape_zyx)
    start = (np.array(other.grid.shape_zyx) - size) // 2
    data = np.stack([case.moving.read(channel=c) for c in range(case.moving.channel_count)])
    for channel in range(len(data)):
        patch = other.read(channel=min(channel, other.channel_count - 1))
        taken = patch[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))]
        data[(channel, *(slice(a, a + n) for a, n in zip(low, size, strict=True)))] = taken
    return replace(case.moving, data=data)


def prepare(problem: Problem, seed_folder: Path | None = None) -> Path:
    """Write the case's arrays; return their folder, which an earlier run may have left."""
    folder = (seed_folder or CACHE / "prepared") / problem.name
    if (folder / "case.json").is_file():
        return folder
    case = build(problem)
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    temporary.mkdir(parents=True)
    try:
        facts: dict[str, Any] = {"problem": asdict(problem), "info": case.info, "volumes": {}}
        for name in ("fixed", "fixed_labels", "moving"):
            volume = getattr(case, name)
            if volume is None:
                continue
            np.save(temporary / f"{name}.npy", np.asarray(volume.data[...]))
            facts["volumes"][name] = {
                "space": volume.grid.space.name,
                "shape": volume.grid.shape_zyx,
                "voxel": volume.grid.voxel_size_zyx_nm,
                "origin": volume.grid.origin_zyx_nm,
                "modality": volume.modality,
                "role": volume.role,
                "channels": volume.channels,
            }
        np.save(temporary / "truth_fixed.npy", case.truth_fixed_zyx_nm)
        np.save(temporary / "truth_moving.npy", case.truth_moving_zyx_nm)
        facts |= {
            "moving_channel": case.moving_channel,
            "names": case.names,
            "tre_names": case.tre_names,
        }
        (temporary / "case.json").write_text(json.dumps(facts, default=_plain), encoding="utf-8")
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def load_prepared(folder: Path) -> tuple[Problem, Case]:
    """Return a prepared case."""
    facts = json.loads((folder / "case.json").read_text("utf-8"))

    def volume(name: str) -> Volume | None:
        if name not in facts["volumes"]:
            return None
        about = facts["volumes"][name]
        grid = Grid(
            space=Space(about["space"]),
            shape_zyx=tuple(about["shape"]),
            voxel_size_zyx_nm=tuple(about["voxel"]),
            origin_zyx_nm=tuple(about["origin"]),
        )
        return Volume(
            data=np.load(folder / f"{name}.npy"),
            grid=grid,
            modality=about["modality"],
            role=about["role"],
            channels=tuple(about["channels"]),
        )

    fixed, moving = volume("fixed"), volume("moving")
    assert fixed is not None
    assert moving is not None
    case = Case(
        name=folder.name,
        fixed=fixed,
        fixed_labels=volume("fixed_labels"),
        moving=moving,
        moving_channel=facts["moving_channel"],
        truth_fixed_zyx_nm=np.load(folder / "truth_fixed.npy"),
        truth_moving_zyx_nm=np.load(folder / "truth_moving.npy"),
        names=tuple(facts["names"]),
        tre_names=tuple(facts["tre_names"]),
        info=facts["info"],
    )
    return Problem(**facts["problem"]), case
