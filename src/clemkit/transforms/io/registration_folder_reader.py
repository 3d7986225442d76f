"""Reading a registration folder; needs neither ITK nor the viewers' formats."""

from __future__ import annotations

from pathlib import Path

from clemkit.errors import FormatError
from clemkit.geometry import Grid
from clemkit.transforms.base import Transform
from clemkit.transforms.inverse import numerical_inverse
from clemkit.transforms.io.exact_json import grid_from_json, read_exact_json
from clemkit.transforms.io.itk_hdf5 import read_itk_hdf5
from clemkit.transforms.io.json_file import read_json_object

__all__ = ["INDEX", "TO_FIXED", "TO_MOVING", "read_registration_transforms"]

INDEX = "transforms.json"
TO_MOVING, TO_FIXED = "fixed to moving", "moving to fixed"


def read_registration_transforms(folder: str | Path) -> tuple[Transform, Transform]:
    """Read a registration folder.

    Parameters
    ----------
    folder : path
        Written by :func:`~clemkit.transforms.io.write_registration_transforms`.

    Returns
    -------
    fixed_to_moving, moving_to_fixed : Transform
        What was stored exactly is bitwise what was written; a direction that was not is rebuilt
        as the certified numerical inverse of the other one.

    Raises
    ------
    FormatError
        The folder is damaged.
    """
    folder = Path(folder)
    index = read_json_object(folder / INDEX)
    try:
        exact = dict(index["exact"])
        fixed, moving = grid_from_json(index["fixed"]), grid_from_json(index["moving"])
        settings = index["inverse"]
        tolerance, outside = float(settings["tolerance_nm"]), settings["outside"]
        domain = grid_from_json(settings["domain"])
    except (KeyError, TypeError, ValueError) as problem:
        raise FormatError(folder / INDEX, f"damaged index: {problem!r}") from None
    forward = _read_exact(folder, "fixed_to_moving", exact.get(TO_MOVING), fixed, moving)
    back = _read_exact(folder, "moving_to_fixed", exact.get(TO_FIXED), moving, fixed)
    if forward is not None and back is None:
        domain = domain if domain.space == forward.source else fixed
        back = numerical_inverse(forward, domain=domain, tolerance_nm=tolerance, outside=outside)
    if back is not None and forward is None:
        domain = domain if domain.space == back.source else moving
        forward = numerical_inverse(back, domain=domain, tolerance_nm=tolerance, outside=outside)
    if forward is None or back is None:
        raise FormatError(folder / INDEX, "expected one direction stored exactly; found none")
    return forward, back


def _read_exact(
    folder: Path, name: str, suffix: str | None, source: Grid, target: Grid
) -> Transform | None:
    if not suffix:
        return None
    path = folder / f"{name}{suffix}"
    if suffix == ".h5":
        return read_itk_hdf5(path, source=source.space, target=target.space)
    return read_exact_json(path)
