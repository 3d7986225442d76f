"""Uniform access to registration cases with known truth.

>>> case = load_case("phantom", "hard", 31)  # doctest: +SKIP
>>> case.fixed, case.fixed_labels, case.moving  # doctest: +SKIP

Kinds: ``simulated`` and ``simulated-ct`` (the external simulator, found through CLEMKIT_SHARED or
beside the repository), ``phantom``, ``phantom-nuclei`` and ``phantom-xray`` (clemkit.testing),
``hela`` (real organelles, simulated LM), and the real images of ``real_cases.py``: ``xray-cortex``,
``platy-tissues``, ``nuclei3d``, ``ovule3d``. Simulated files are kept under ``.cases/``.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from clemkit.errors import ArgumentError, NotFoundError
from clemkit.geometry import Grid, Space
from clemkit.landmarks import LandmarkPairs
from clemkit.testing import (
    LabelLmSpec,
    PhantomSpec,
    XraySpec,
    lm_from_labels,
    make_clem_phantom,
    make_xray_phantom,
)
from clemkit.volumes import Volume

__all__ = ["Case", "Kind", "Level", "load_case", "simulated_folder"]

Kind = Literal[
    "simulated", "simulated-ct", "phantom", "phantom-nuclei", "phantom-xray", "hela",
    "xray-cortex", "platy-tissues", "nuclei3d", "ovule3d",
]  # fmt: skip
Level = Literal["easy", "medium", "hard"]

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cases"
FAMILIES = ("mixed", "rbf", "shear", "swelling", "tear")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One registration problem and its solution.

    Attributes
    ----------
    name : str
        Kind, level, seed.
    fixed : Volume
        EM grey values.
    fixed_labels : Volume or None
        Organelles segmented in EM, with errors.
    moving : Volume
        LM (all channels) or CT.
    moving_channel : int
        The channel that shows what ``fixed_labels`` labels.
    truth_fixed_zyx_nm, truth_moving_zyx_nm : (N, 3) float array
        Held-out point pairs.
    names : tuple of str
        One for each pair; the part before the dash is the structure.
    tre_names : tuple of str
        Structures over which the median is taken (the others count for the worst point only).
    info : dict
        What the generator drew.
    """

    name: str
    fixed: Volume
    fixed_labels: Volume | None
    moving: Volume
    moving_channel: int
    truth_fixed_zyx_nm: np.ndarray
    truth_moving_zyx_nm: np.ndarray
    names: tuple[str, ...]
    tre_names: tuple[str, ...]
    info: dict[str, Any]

    @property
    def scored(self) -> np.ndarray:
        """Which pairs count for the median and the 95th percentile."""
        return np.array([name.rsplit("-", 1)[0] in self.tre_names for name in self.names])


def shared_folder() -> Path:
    """Return the folder of shared tools and data."""
    folder = Path(os.environ.get("CLEMKIT_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        raise NotFoundError(
            f"{folder}: expected the folder with tools/ and data/; set CLEMKIT_SHARED to it"
        )
    return folder


def simulated_folder(
    level: Level, seed: int, *, modality: Literal["lm", "ct"] = "lm", flip: str = "none"
) -> Path:
    """Return the folder of a simulator case (OME-TIFF), running the simulator when it is new."""
    folder = CACHE / f"simulated-{modality}-{level}-{seed}-{flip}"
    if (folder / "meta.json").is_file():
        return folder
    tool = shared_folder() / "tools" / "simulate_clem.py"
    if not tool.is_file():
        raise NotFoundError(f"{tool}: expected the simulator there")
    CACHE.mkdir(exist_ok=True)
    temporary = CACHE / f".{folder.name}.{uuid.uuid4().hex[:8]}"
    command = [sys.executable, str(tool), "--seed", str(seed), "--difficulty", level]
    command += ["--kind", modality, "--flip", flip, "--out", str(temporary)]
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _simulated(level: Level, seed: int, modality: Literal["lm", "ct"], flip: str) -> Case:
    import tifffile

    folder = simulated_folder(level, seed, modality=modality, flip=flip)
    images = json.loads((folder / "meta.json").read_text("utf-8"))["images"]

    def volume(stem: str, space: str, **kwargs: Any) -> Volume:
        data = tifffile.imread(folder / f"{stem}.ome.tif").reshape(images[stem]["shape"])
        x, y, z = (1000.0 * v for v in images[stem]["voxel_size"])
        grid = Grid(space=Space(space), shape_zyx=data.shape[-3:], voxel_size_zyx_nm=(z, y, x))
        return Volume(data=data, grid=grid, **kwargs)

    lm = modality == "lm"
    channels = ("mitochondria", "nuclei") if lm else ()
    with (folder / "truth" / "points.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    fixed = [[1000 * float(r[f"em_{a}"]) for a in "zyx"] for r in rows]
    moving = [[1000 * float(r[f"lm_{a}"]) for a in "zyx"] for r in rows]
    return Case(
        name=folder.name,
        fixed=volume("em_raw", "em", modality="em"),
        fixed_labels=volume(
            "em_mito_labels" if lm else "em_nuclei", "em", modality="em", role="labels"
        ),
        moving=volume(modality, modality, modality="lm" if lm else "xray_ct", channels=channels),
        moving_channel=0,
        truth_fixed_zyx_nm=np.array(fixed),
        truth_moving_zyx_nm=np.array(moving),
        names=tuple(f"{r['kind']}-{n:04d}" for n, r in enumerate(rows)),
        tre_names=("er",) if lm else ("point",),
        info=json.loads((folder / "truth" / "truth.json").read_text("utf-8")),
    )


def _case(
    name: str,
    fixed: Volume,
    labels: Volume,
    moving: Volume,
    channel: int,
    pairs: LandmarkPairs,
    structures: tuple[str, ...],
    info: dict[str, Any],
) -> Case:
    return Case(
        name=name,
        fixed=fixed,
        fixed_labels=labels,
        moving=moving,
        moving_channel=channel,
        truth_fixed_zyx_nm=pairs.fixed.points_zyx_nm,
        truth_moving_zyx_nm=pairs.moving.points_zyx_nm,
        names=pairs.ids,
        tre_names=structures,
        info=info,
    )


def _hela_labels() -> tuple[np.ndarray, Grid]:
    """Return the real mitochondria as instances at 100 x 80 x 80 nm; kept under ``.cases/``."""
    kept = CACHE / "hela-labels.npy"
    if not kept.is_file():
        import tifffile
        from scipy.ndimage import label

        mask = tifffile.imread(shared_folder() / "data" / "hela-mito-mask" / "em_mask.tif")
        # ids wrapped at 256 in the file: connected components are the objects
        labels, _ = label(mask > 0, output=np.uint16)
        CACHE.mkdir(exist_ok=True)
        temporary = CACHE / f".hela-{uuid.uuid4().hex[:8]}.npy"
        np.save(temporary, labels[2::5, 2::4, 2::4])
        os.replace(temporary, kept)
    labels = np.load(kept)
    # every 5th, 4th, 4th voxel of 20 nm, beginning with the third
    grid = Grid(
        space=Space("em"),
        shape_zyx=labels.shape,
        voxel_size_zyx_nm=(100.0, 80.0, 80.0),
        origin_zyx_nm=(40.0, 40.0, 40.0),
    )
    return labels, grid


_HELA: dict[str, dict[str, Any]] = {
    "easy": {"rotation_max_deg": 15.0, "field_fraction_range": (0.015, 0.02)},
    "medium": {"rotation_max_deg": 60.0, "field_fraction_range": (0.02, 0.035)},
    "hard": {"field_fraction_range": (0.03, 0.05), "psf": "haze", "peak_photons": 35.0},
}
_HELA["easy"] |= {"scale_range": (0.95, 1.15), "dropped_fraction_range": (0.1, 0.15)}
_HELA["medium"] |= {"scale_range": (0.9, 1.2), "dropped_fraction_range": (0.1, 0.25)}
_HELA["hard"] |= {"dropped_fraction_range": (0.2, 0.4)}


def load_case(kind: Kind, level: Level, seed: int, *, z_flip: bool = False) -> Case:
    """Return a case; the same arguments give the same voxels.

    Phantoms cycle through the families of truth fields with the seed.

    Raises
    ------
    ArgumentError
        The kind or the level is unknown.
    NotFoundError
        The simulator or the shared data are not there.
    """
    if kind not in get_args(Kind) or level not in get_args(Level):
        raise ArgumentError(
            f"load_case: expected a kind of {', '.join(get_args(Kind))} and a level of "
            f"{', '.join(get_args(Level))}; found {kind!r}, {level!r}"
        )
    name = f"{kind}-{level}-{seed}" + ("-flip" if z_flip else "")
    flip = "z" if z_flip else "none"
    if kind == "simulated":
        return _simulated(level, seed, "lm", flip)
    if kind == "simulated-ct":
        return _simulated(level, seed, "ct", flip)
    if kind in ("xray-cortex", "platy-tissues", "nuclei3d", "ovule3d"):
        from real_cases import load_real_case  # which imports this module

        return load_real_case(kind, level, seed, z_flip=z_flip)
    family = FAMILIES[seed % len(FAMILIES)]
    if kind == "phantom-xray":
        x = make_xray_phantom(XraySpec.for_level(level, seed, z_flip=z_flip, family=family))
        return _case(
            name, x.em, x.em_nuclei, x.ct, 0, x.heldout, ("neuropil",), {**x.info, "family": family}
        )
    if kind == "hela":
        labels, grid = _hela_labels()
        spec = LabelLmSpec(seed=seed, z_flip=z_flip, **_HELA[level])
        h = lm_from_labels(labels, grid, spec)
        return _case(name, h.em, h.em_mitochondria, h.lm, 0, h.heldout, ("cytosol",), h.info)
    p = make_clem_phantom(PhantomSpec.for_level(level, seed, z_flip=z_flip, family=family))
    nuclei = kind == "phantom-nuclei"
    return _case(
        name,
        p.em,
        p.em_nuclei if nuclei else p.em_mitochondria,
        p.lm,
        1 if nuclei else 0,
        p.heldout,
        ("er",),
        {**p.info, "family": family},
    )
