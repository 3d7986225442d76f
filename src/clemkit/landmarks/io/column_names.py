"""What the column names of a landmark table mean: axis, unit, side, uncertainty.

``z_nm``, ``x_left``, ``moving_y_um``, ``Y (µm)``, ``sigma_z_nm`` are words; one word is the axis,
one may be a unit, ``sigma`` marks an uncertainty, and what remains names the side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from clemkit.errors import UnitError
from clemkit.geometry import nanometres_per

__all__ = ["MOVING_WORDS", "CoordinateGroup", "coordinate_groups", "name_column"]

MOVING_WORDS = ("moving", "mov", "source", "src", "from")
FIXED_WORDS = ("fixed", "fix", "target", "tgt", "to", "reference", "ref")
_UNIT_WORDS = ("nm", "um", "µm", "μm", "mm", "micron", "microns", "nanometer", "nanometers")
_NAME_WORDS = ("id", "name", "label", "landmark", "lineage_name", "landmark_id", "landmark_name")


@dataclass(frozen=True, slots=True)
class CoordinateGroup:
    """The columns of one side.

    Attributes
    ----------
    side : str
        What is left of the names; empty for a single set.
    columns_xyz : tuple of int or None
        Column of x, y, z; None for an absent z.
    unit : str or None
        The unit in the names.
    sigma : bool
        Whether these are uncertainties.
    """

    side: str
    columns_xyz: tuple[int | None, int | None, int | None]
    unit: str | None
    sigma: bool

    @property
    def role(self) -> str:
        """``"moving"``, ``"fixed"`` or ``""`` if the side's name does not tell."""
        if self.side in MOVING_WORDS:
            return "moving"
        return "fixed" if self.side in FIXED_WORDS else ""


def coordinate_groups(header: Sequence[str]) -> list[CoordinateGroup]:
    """Return the complete (x and y, perhaps z) groups in the order of their first column.

    Raises
    ------
    UnitError
        The columns of one group state different units.
    """
    found: dict[tuple[str, bool], dict[str, tuple[int, str | None]]] = {}
    for column, title in enumerate(header):
        words = [w for w in re.split(r"[\s_\-.,()\[\]/]+", title.strip().lower()) if w]
        axes = [w for w in words if w in ("x", "y", "z")]
        if len(axes) != 1:
            continue
        units = [w for w in words if w in _UNIT_WORDS]
        sigma = any(w in ("sigma", "sd", "std") for w in words)
        rest = [w for w in words if w not in (*axes, *units, "sigma", "sd", "std", "pos", "coord")]
        group = found.setdefault((" ".join(rest), sigma), {})
        group.setdefault(axes[0], (column, units[0] if units else None))
    groups = []
    for (side, sigma), members in found.items():
        if not {"x", "y"} <= set(members):
            continue
        stated = {nanometres_per(u): u for _, u in members.values() if u is not None}
        if len(stated) > 1 or (stated and any(u is None for _, u in members.values())):
            raise UnitError(
                f"columns {[header[c] for c, _ in members.values()]}: expected one unit for x, y "
                "and z; found different ones; rename the columns"
            )
        columns = [members[a][0] if a in members else None for a in ("x", "y", "z")]
        groups.append(
            CoordinateGroup(
                side, (columns[0], columns[1], columns[2]), next(iter(stated.values()), None), sigma
            )
        )
    return groups


def name_column(header: Sequence[str]) -> int | None:
    """Return the column that names the landmarks, if one does."""
    lowered = [title.strip().lower() for title in header]
    return next((lowered.index(word) for word in _NAME_WORDS if word in lowered), None)
