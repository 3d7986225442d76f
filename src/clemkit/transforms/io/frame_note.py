"""The note that clemkit leaves in a transform file: its unit and the spaces it joins.

Foreign formats do not say which unit their numbers have or which frames they join. Where a
format has room for a comment, clemkit writes both, and reading then needs no arguments. Where
the note is absent the caller must say; where both speak they must agree.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from clemkit.errors import ArgumentError, FormatError, SpaceMismatchError, UnitError
from clemkit.geometry import Space, nanometres_per
from clemkit.transforms.base import Chain, Transform

__all__ = ["MARK", "FrameNote", "chain_parts", "chain_spaces", "join_parts"]

MARK = "clemkit-frames"


@dataclass(frozen=True, slots=True)
class FrameNote:
    """Unit and spaces of a chain of transforms.

    Attributes
    ----------
    unit : str or None
        Length unit of the file's numbers.
    spaces : tuple of str
        Names of all spaces along the chain, first source first; empty when unknown.
    """

    unit: str | None = None
    spaces: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps({"unit": self.unit, "spaces": list(self.spaces)}, ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str, path: str | Path) -> FrameNote:
        """Parse :meth:`to_json`.

        Raises
        ------
        FormatError
            The note is damaged.
        """
        try:
            data = json.loads(text)
            return cls(data["unit"], tuple(str(name) for name in data["spaces"]))
        except (ValueError, KeyError, TypeError):
            raise FormatError(
                path, f"expected a {MARK} note with unit and spaces; found {text[:80]!r}"
            ) from None

    @classmethod
    def of(cls, parts: Sequence[Transform], unit: str) -> FrameNote:
        """Describe the *parts* of a chain, in order of application."""
        nanometres_per(unit)  # refuses an unknown unit before anything is written
        return cls(unit, chain_spaces(parts))

    def resolve_unit(self, unit: str | None, path: str | Path) -> str:
        """Return the unit that the caller and the file agree on.

        Raises
        ------
        UnitError
            Neither says it, or they disagree.
        """
        if unit is None and self.unit is None:
            raise UnitError(
                f"{path}: the file does not say its length unit; pass unit='nm' or the right one"
            )
        if unit is None or self.unit is None:
            return str(unit if unit is not None else self.unit)
        if nanometres_per(unit) != nanometres_per(self.unit):
            raise UnitError(
                f"{path}: expected unit {unit!r} as passed; found {self.unit!r} noted in the file; "
                "leave unit out to use the file's"
            )
        return unit

    def resolve_spaces(
        self, source: Space | None, target: Space | None, count: int, path: str | Path
    ) -> tuple[Space, ...]:
        """Return the ``count + 1`` spaces along a chain of *count* parts.

        Raises
        ------
        SpaceMismatchError
            The caller's spaces are not those noted in the file.
        ArgumentError
            The file has no note and the caller named no spaces.
        """
        if self.spaces:
            if len(self.spaces) != count + 1:
                raise FormatError(
                    path,
                    f"expected {count + 1} spaces in the {MARK} note of {count} transforms; "
                    f"found {len(self.spaces)}",
                )
            noted = tuple(Space(name) for name in self.spaces)
            for given, found, end in (
                (source, noted[0], "source"),
                (target, noted[-1], "target"),
            ):
                if given is not None and given != found:
                    raise SpaceMismatchError(
                        f"{path}: expected {end} {given.name!r}; found {found.name!r} noted in "
                        "the file; check the direction, or leave source and target out"
                    )
            return noted
        if source is None or target is None:
            raise ArgumentError(
                f"{path}: the file does not name its spaces; pass source= and target="
            )
        middle = (Space(f"{source}-to-{target}-{i}") for i in range(1, count))
        return (source, *middle, target)


def chain_parts(transform: Transform) -> tuple[Transform, ...]:
    """Return the parts of a chain with nested chains flattened, first applied first."""
    if isinstance(transform, Chain):
        return tuple(leaf for part in transform.parts for leaf in chain_parts(part))
    return (transform,)


def chain_spaces(parts: Sequence[Transform]) -> tuple[str, ...]:
    """Return the names of the spaces along *parts*."""
    return (parts[0].source.name, *(part.target.name for part in parts))


def join_parts(parts: Sequence[Transform]) -> Transform:
    """Return one part as itself and several as a chain; nothing is multiplied together."""
    for first, then in pairwise(parts):
        if first.target != then.source:
            raise SpaceMismatchError(f"chain: {first.target} is followed by {then.source}")
    return parts[0] if len(parts) == 1 else Chain(tuple(parts))
