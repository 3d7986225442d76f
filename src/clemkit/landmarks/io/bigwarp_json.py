"""BigWarp landmarks as JSON, alone or inside a transform document.

The landmarks object has ``type`` "BigWarpLandmarks", ``numDimensions``, ``movingPoints``,
``fixedPoints``, ``active`` and ``names``; BigWarp's own export wraps it as ``landmarks`` beside the
``type`` of the transform. No unit is stated.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import FormatError
from clemkit.geometry import Space, nanometres_per
from clemkit.landmarks.io.delimited_text import read_text
from clemkit.landmarks.io.pairs_file import PairsFile, make_pairs, resolve_unit
from clemkit.landmarks.landmark_set import LandmarkPairs
from clemkit.transforms.io.atomic_write import atomic_path

__all__ = ["read_bigwarp_json", "write_bigwarp_json"]


def read_bigwarp_json(
    path: str | Path,
    *,
    unit: str | None,
    fixed_unit: str | None = None,
    moving_space: Space,
    fixed_space: Space,
) -> PairsFile:
    """Read BigWarp landmarks from JSON.

    Raises
    ------
    FormatError
        The document holds no landmarks, or their lists do not agree.
    UnitError
        No unit was passed.
    """
    try:
        document: Any = json.loads(read_text(path))
    except ValueError as error:
        raise FormatError(path, f"expected JSON; {error}") from None
    table = document.get("landmarks", document) if isinstance(document, dict) else None
    if not isinstance(table, dict) or "movingPoints" not in table or "fixedPoints" not in table:
        raise FormatError(path, "expected BigWarp landmarks with movingPoints and fixedPoints")
    moving, fixed = table["movingPoints"], table["fixedPoints"]
    if not isinstance(moving, list) or not isinstance(fixed, list) or len(moving) != len(fixed):
        raise FormatError(path, "expected as many moving as fixed points; found lists that differ")
    names = table.get("names") or [f"Pt-{k}" for k in range(len(moving))]
    active = table.get("active") or [True] * len(moving)
    if len(names) != len(moving) or len(active) != len(moving):
        raise FormatError(
            path,
            f"expected {len(moving)} names and active flags; found {len(names)} and {len(active)}",
        )
    units = resolve_unit(None, unit, path), resolve_unit(None, fixed_unit or unit, path)
    chosen = [k for k in range(len(moving)) if active[k]]
    return make_pairs(
        [str(names[k]) for k in chosen],
        [_xyz(moving[k], path) for k in chosen],
        [_xyz(fixed[k], path) for k in chosen],
        units=units,
        spaces=(moving_space, fixed_space),
        path=path,
        format="bigwarp-json",
        inactive_count=len(moving) - len(chosen),
    )


def _xyz(values: Any, path: str | Path) -> list[float]:
    try:
        numbers = [np.inf if v is None else float(v) for v in values]  # "Infinity" is a string
    except (TypeError, ValueError):
        raise FormatError(path, f"expected coordinates; found {values!r}") from None
    if len(numbers) not in (2, 3):
        raise FormatError(path, f"expected 2 or 3 coordinates per point; found {len(numbers)}")
    return numbers + [0.0] * (3 - len(numbers))


def write_bigwarp_json(
    path: str | Path, pairs: LandmarkPairs, *, unit: str = "um", overwrite: bool = False
) -> None:
    """Write pairs as BigWarp's JSON document of a thin-plate spline, x, y, z, in *unit*.

    Raises
    ------
    ArgumentError
        The file exists and may not be replaced.
    """
    per = nanometres_per(unit)
    document = {
        "type": "Thin Plate Spline",
        "landmarks": {
            "type": "BigWarpLandmarks",
            "numDimensions": 3,
            "movingPoints": (pairs.moving.points_zyx_nm[:, ::-1] / per).tolist(),
            "fixedPoints": (pairs.fixed.points_zyx_nm[:, ::-1] / per).tolist(),
            "active": [True] * len(pairs),
            "names": list(pairs.ids),
        },
    }
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
