"""Open a registration folder: its transforms, its two grids, and whether to trust it."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clemkit.errors import ArgumentError, ClemkitWarning, FormatError, NotFoundError

if TYPE_CHECKING:
    from clemkit.geometry import Grid
    from clemkit.transforms import Transform

__all__ = ["Direction", "Registered", "check_direction", "open_registration"]

Direction = Literal["fixed-to-moving", "moving-to-fixed"]
_RECORD = "registration.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A registration read from its folder.

    Attributes
    ----------
    path : Path
        The folder.
    fixed_to_moving, moving_to_fixed : Transform
        Maps of points.
    fixed_grid, moving_grid : Grid or None
        Grids of the registered volumes; None where landmarks alone were registered.
    status : str
        ``"ok"`` or ``"uncertain"``.
    warnings : tuple of str
        What the registration warned about, if it is uncertain.
    """

    path: Path
    fixed_to_moving: Transform
    moving_to_fixed: Transform
    fixed_grid: Grid | None
    moving_grid: Grid | None
    status: str
    warnings: tuple[str, ...]

    def map_points(self, direction: Direction) -> Transform:
        """Return the map of points in one direction."""
        return self.fixed_to_moving if direction == "fixed-to-moving" else self.moving_to_fixed

    def source_grid(self, direction: Direction) -> Grid | None:
        """Return the grid of the volume that points come from."""
        return self.fixed_grid if direction == "fixed-to-moving" else self.moving_grid

    def target_grid(self, direction: Direction) -> Grid | None:
        """Return the grid of the volume that points go to."""
        return self.moving_grid if direction == "fixed-to-moving" else self.fixed_grid

    @property
    def inputs(self) -> tuple[Path, Path]:
        """The files that a provenance record names."""
        return self.path / _RECORD, self.path / "transforms"


def open_registration(folder: str | Path) -> Registered:
    """Read what ``clemkit register`` wrote.

    Parameters
    ----------
    folder : path
        Holds ``registration.json`` and ``transforms/``.

    Returns
    -------
    Registered

    Raises
    ------
    NotFoundError
        No registration there.
    ArgumentError
        The registration failed.
    FormatError
        A file is damaged.

    Warns
    -----
    ClemkitWarning
        The registration is uncertain.
    """
    from clemkit.transforms.io import read_registration_transforms

    root = Path(folder)
    record = root / _RECORD
    if not record.is_file():
        raise NotFoundError(
            f"{root}: expected the output folder of clemkit register; found no {_RECORD} in it"
        )
    content = _content(record)
    status = str(content.get("status"))
    remarks = tuple(str(w) for w in content.get("warnings") or ())
    reason = str(content.get("reason") or "; ".join(remarks) or "no reason given")
    if status == "failed":
        raise ArgumentError(
            f"{root}: expected a registration; found one that failed ({reason}); nothing to apply"
        )
    if status not in ("ok", "uncertain"):
        raise FormatError(record, f"status: expected ok, uncertain or failed; found {status!r}")
    if not (root / "transforms").is_dir():
        raise NotFoundError(f"{root}: expected a folder named transforms in it; found none")
    forward, back = read_registration_transforms(root / "transforms")
    if status == "uncertain":
        warnings.warn(
            f"{root}: this registration is uncertain ({reason}); so is what it warps",
            ClemkitWarning,
            stacklevel=3,
        )
    return Registered(
        path=root,
        fixed_to_moving=forward,
        moving_to_fixed=back,
        fixed_grid=_grid(content, "fixed_grid", record),
        moving_grid=_grid(content, "moving_grid", record),
        status=status,
        warnings=remarks,
    )


def check_direction(direction: str) -> Direction:
    """Return *direction* if it is one.

    Raises
    ------
    ArgumentError
        It is not.
    """
    if direction == "fixed-to-moving":
        return "fixed-to-moving"
    if direction == "moving-to-fixed":
        return "moving-to-fixed"
    raise ArgumentError(
        f"direction: expected fixed-to-moving or moving-to-fixed; found {direction!r}"
    )


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise FormatError(path, f"expected JSON; found {problem}") from None
    if not isinstance(content, dict):
        raise FormatError(path, f"expected a JSON object; found {type(content).__name__}")
    return content


def _grid(content: dict[str, Any], name: str, path: Path) -> Grid | None:
    from clemkit.geometry import Grid, Space

    data = content.get(name)
    if data is None:
        return None
    try:
        return Grid(
            space=Space(data["space"]),
            shape_zyx=tuple(data["shape_zyx"]),
            voxel_size_zyx_nm=tuple(data["voxel_size_zyx_nm"]),
            origin_zyx_nm=tuple(data["origin_zyx_nm"]),
        )
    except (KeyError, TypeError, ArgumentError) as problem:
        raise FormatError(path, f"{name}: expected a grid; found {problem!r}") from None
