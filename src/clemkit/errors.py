"""The whole error family of clemkit on one page.

Every error is a :class:`ClemkitError` and also the builtin it refines, so ``except ValueError``
keeps working. Message order: what failed and where; expected; found; what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = [
    "ArgumentError",
    "AxisError",
    "ClemkitError",
    "ClemkitWarning",
    "DataError",
    "DegenerateLandmarksError",
    "DepositionError",
    "FoldingError",
    "FormatError",
    "IncompleteDepositionError",
    "InvalidMetadataError",
    "MissingExtraError",
    "NotConvergedError",
    "NotFoundError",
    "NotInvertibleError",
    "OutsideDomainError",
    "Problem",
    "RegistrationError",
    "RepairedMetadataWarning",
    "SpaceMismatchError",
    "TooFewLandmarksError",
    "TransformError",
    "UnitError",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding of a validator.

    Attributes
    ----------
    location : tuple of str or int
        Path into the document or data set, outermost first.
    rule : str
        Stable machine-readable code of the rule.
    severity : {"error", "warning"}
        Errors stop what follows, warnings do not.
    message : str
        What is wrong: expected and found.
    hint : str
        What to do about it.
    """

    location: tuple[str | int, ...]
    rule: str
    severity: Literal["error", "warning"]
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = "/".join(str(part) for part in self.location) or "(document)"
        text = f"{where}: {self.message} [{self.rule}]"
        return f"{text}; {self.hint}" if self.hint else text


class ClemkitError(Exception):
    """Base of every error that clemkit raises on purpose."""


class ArgumentError(ClemkitError, ValueError):
    """The caller passed something that cannot work."""


class SpaceMismatchError(ArgumentError):
    """Two objects that must share a space do not."""


class AxisError(ArgumentError):
    """Axes are missing, surplus or in an order that cannot be used."""


class UnitError(ArgumentError):
    """A physical unit is missing, unknown or implausible."""


class DataError(ClemkitError, ValueError):
    """Data on disk or in memory are not what they claim to be."""


class FormatError(DataError):
    """A file cannot be read as the format it claims.

    Parameters
    ----------
    path : path
        The file.
    reason : str
        What was expected and what was found.
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (str(self.path), self.reason)


class _ProblemsMixin:
    problems: tuple[Problem, ...]


class InvalidMetadataError(DataError, _ProblemsMixin):
    """Metadata broke one or more rules; ``problems`` lists them all."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class NotFoundError(ClemkitError, FileNotFoundError):
    """A file, data set, channel or name does not exist."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class TransformError(ClemkitError, ArithmeticError):
    """A transform cannot do what was asked."""


class NotInvertibleError(TransformError):
    """No exact inverse exists; use ``numerical_inverse``."""


class FoldingError(TransformError):
    """The Jacobian determinant is not positive where it must be."""


class OutsideDomainError(TransformError):
    """Points lie outside the domain of a transform."""


class RegistrationError(ClemkitError, RuntimeError):
    """A registration could not be made."""


class TooFewLandmarksError(RegistrationError):
    """Fewer landmarks than the model has freedom."""


class DegenerateLandmarksError(RegistrationError):
    """Landmarks are collinear, coplanar or repeated."""


class NotConvergedError(RegistrationError):
    """An iteration ended without a solution that can be trusted."""


class DepositionError(ClemkitError, RuntimeError):
    """A deposition cannot be built."""


class IncompleteDepositionError(DepositionError, _ProblemsMixin):
    """A deposition lacks what the archive requires; ``problems`` lists it all.

    ``lines`` holds the line of the description for each problem, where they are known.
    """

    def __init__(
        self, message: str, problems: Sequence[Problem] = (), lines: Sequence[int] = ()
    ) -> None:
        super().__init__(message)
        self.problems = tuple(problems)
        self.lines = tuple(lines)


class MissingExtraError(ClemkitError, ImportError):
    """An optional dependency is not installed.

    Parameters
    ----------
    package : str
        The package that could not be imported.
    extra : str
        The clemkit extra that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed; it comes with: pip install 'clemkit[{extra}]'"
        )
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.package, self.extra)


class ClemkitWarning(UserWarning):
    """Base of clemkit's warnings."""


class RepairedMetadataWarning(ClemkitWarning):
    """Metadata were repaired without ambiguity while reading."""
