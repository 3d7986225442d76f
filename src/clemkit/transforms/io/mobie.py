"""MoBIE views: the affine ``sourceTransforms`` of a source.

Axis order
    x, y, z: twelve numbers, row by row, in BigDataViewer's convention.
Unit
    The physical unit of the project's sources, micrometre unless told otherwise.
Direction
    Moving to fixed: the transform moves the source into the view, after the source's own
    calibration.
Origin
    Physical coordinates of the source; pixel centres lie at whole indices.
Handedness
    Kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clemkit.errors import ArgumentError, FormatError
from clemkit.geometry import Space
from clemkit.transforms.affine import Affine
from clemkit.transforms.io.affine_fit import AffineFit
from clemkit.transforms.io.json_file import read_json_object, write_json
from clemkit.transforms.io.xyz import affine_from_xyz, affine_to_xyz

__all__ = ["mobie_view", "read_mobie", "write_mobie"]

_NAME = re.compile(r"^[^;\\/, ]+$")


def mobie_view(
    moving_to_fixed: Affine,
    *,
    moving_sources: Sequence[str],
    fixed_sources: Sequence[str] = (),
    unit: str = "micrometer",
    name: str = "clemkit-registration",
    description: str = "",
) -> dict[str, Any]:
    """Return a MoBIE view (specification 0.3) that overlays registered sources.

    Parameters
    ----------
    moving_to_fixed : Affine
        The registration.
    moving_sources, fixed_sources : sequence of str
        Names of the project's image sources; only the moving ones are transformed.
    unit : str
        Physical unit of the sources.
    name : str
        Name of the transform.
    description : str
        Text of the view; say here what an affine leaves out.

    Raises
    ------
    ArgumentError
        A name is empty or has a character that MoBIE refuses.
    """
    for text in (*moving_sources, *fixed_sources, name):
        if not _NAME.match(text):
            raise ArgumentError(
                f"MoBIE name: expected no space, slash, comma or semicolon; found {text!r}"
            )
    if not moving_sources:
        raise ArgumentError("moving_sources: expected at least one name; found none")
    transform = {
        "name": name,
        "parameters": affine_to_xyz(moving_to_fixed, unit).ravel().tolist(),
        "sources": list(moving_sources),
    }
    return {
        "uiSelectionGroup": "clemkit",
        "isExclusive": True,
        "description": description,
        "sourceDisplays": [
            _display(source, colour)
            for colour, sources in (("white", fixed_sources), ("magenta", moving_sources))
            for source in sources
        ],
        "sourceTransforms": [{"affine": transform}],
    }


def write_mobie(
    path: str | Path,
    fit: AffineFit,
    *,
    moving_sources: Sequence[str],
    fixed_sources: Sequence[str] = (),
    unit: str = "micrometer",
    name: str = "clemkit-registration",
    overwrite: bool = False,
) -> None:
    """Write a view, to be copied into the ``views`` of a MoBIE ``dataset.json``.

    Parameters
    ----------
    path : path
        File to make, a JSON object.
    fit : AffineFit
        The registration; its residual goes into the description of the view.
    moving_sources, fixed_sources, unit, name
        See :func:`mobie_view`.
    overwrite : bool
        Whether an existing file may be replaced.
    """
    view = mobie_view(
        fit.moving_to_fixed,
        moving_sources=moving_sources,
        fixed_sources=fixed_sources,
        unit=unit,
        name=name,
        description=fit.sentence(),
    )
    write_json(path, view, overwrite=overwrite)


def read_mobie(
    path: str | Path,
    *,
    source: Space,
    target: Space,
    moving_source: str | None = None,
    view: str | None = None,
    unit: str = "micrometer",
) -> Affine:
    """Read the affine of one source from a view or from a ``dataset.json``.

    Parameters
    ----------
    path : path
        A view, or a dataset with ``views``.
    source, target : Space
        Spaces of the moving source and of the view.
    moving_source : str, optional
        Name of the source; needed when several are transformed.
    view : str, optional
        Name of the view in a dataset.
    unit : str
        Physical unit of the source.

    Returns
    -------
    Affine
        Moving to fixed. Several affines of one source are multiplied in the order of the view.

    Raises
    ------
    FormatError
        There is no such view, source or affine.
    """
    data: Mapping[str, Any] = read_json_object(path)
    if "views" in data:
        views = data["views"]
        if view is None and len(views) == 1:
            view = next(iter(views))
        if view not in views:
            raise FormatError(path, f"expected one of the views {sorted(views)}; found {view!r}")
        data = views[view]
    affines = [
        entry["affine"]
        for entry in data.get("sourceTransforms", [])
        if isinstance(entry, dict) and isinstance(entry.get("affine"), dict)
    ]
    names = sorted({str(name) for affine in affines for name in affine.get("sources", [])})
    if not names:
        raise FormatError(path, "expected sourceTransforms with an affine; found none")
    if moving_source is None and len(names) == 1:
        moving_source = names[0]
    if moving_source not in names:
        raise FormatError(path, f"expected one of the sources {names}; found {moving_source!r}")
    total = Affine.identity(source, source)
    for affine in affines:
        if moving_source in affine["sources"]:
            step = affine_from_xyz(
                affine.get("parameters", ()), unit, source=source, target=target, path=path
            )
            total = Affine(step.matrix @ total.matrix, source=source, target=target)
    return total


def _display(source: str, colour: str) -> dict[str, Any]:
    return {
        "imageDisplay": {
            "name": source,
            "sources": [source],
            "color": colour,
            "opacity": 1.0,
            "contrastLimits": [0, 255],
            "blendingMode": "sum",
        }
    }
