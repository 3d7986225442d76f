"""Named physical frames."""

from __future__ import annotations

from dataclasses import dataclass

from clemkit.errors import ArgumentError, SpaceMismatchError

__all__ = ["Space", "require_same_space"]


@dataclass(frozen=True, slots=True)
class Space:
    """A named physical frame with axes z, y, x in nanometres.

    Attributes
    ----------
    name : str
        Short name, for example ``"em"``, ``"lm"`` or ``"ct"``.
    """

    name: str

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ArgumentError("Space.name: expected a non-empty name; found ''")

    def __str__(self) -> str:
        return self.name


def require_same_space(expected: Space, found: Space, what: str) -> None:
    """Raise unless two spaces are the same.

    Raises
    ------
    SpaceMismatchError
        The spaces differ.
    """
    if expected != found:
        raise SpaceMismatchError(
            f"{what}: expected space {expected.name!r}; found {found.name!r}; "
            "check the direction of the transform"
        )
