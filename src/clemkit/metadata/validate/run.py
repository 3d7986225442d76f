"""All layers in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from clemkit.errors import ArgumentError, Problem
from clemkit.metadata.load import Document
from clemkit.metadata.model_map import profile_names
from clemkit.metadata.validate.plausibility import check_plausibility
from clemkit.metadata.validate.profiles import check_profile
from clemkit.metadata.validate.references import check_references
from clemkit.metadata.validate.report import Report
from clemkit.metadata.validate.schema import check_schema
from clemkit.metadata.validate.terms import check_terms
from clemkit.metadata.validate.walk import things

__all__ = ["validate"]


# later layers never see such values
_OF_WRONG_TYPE = (
    "L1-class", "L1-decimal-comma", "L1-list", "L1-type", "L1-unit", "L1-unknown-field", "L1-value",
)  # fmt: skip


def _without(
    data: Any, wrong: Set[tuple[str | int, ...]], location: tuple[str | int, ...] = ()
) -> Any:
    """Return *data* without the values at *wrong*; None in a list, so that places stay."""
    if not wrong or location in wrong:
        return None if location in wrong else data
    if isinstance(data, Mapping):
        kept = ((k, v) for k, v in data.items() if (*location, k) not in wrong)
        return {k: _without(v, wrong, (*location, k)) for k, v in kept}
    if isinstance(data, list):
        return [_without(v, wrong, (*location, i)) for i, v in enumerate(data)]
    return data


def validate(
    document: Document,
    profiles: Sequence[str] = (),
    *,
    strict: bool = False,
    further: Sequence[Problem] = (),
) -> Report:
    """Check a description; offline, nothing is written.

    Parameters
    ----------
    document : Document
        What to check.
    profiles : sequence of str
        Names of :func:`clemkit.metadata.model_map.profile_names`.
    strict : bool
        Whether warnings count as errors.
    further : sequence of Problem
        What somebody else found, such as layer L4 by looking at the image files.

    Returns
    -------
    Report
        All problems, in the order of lines.

    Raises
    ------
    ArgumentError
        A profile does not exist.
    """
    if unknown := [p for p in profiles if p not in profile_names()]:
        known = ", ".join(profile_names())
        raise ArgumentError(f"--profile: expected {known}; found {unknown[0]!r}")
    first = check_schema(document.data)
    wrong = {p.location for p in first if p.rule in _OF_WRONG_TYPE and p.location}
    everything = tuple(things(_without(document.data, wrong)))
    found = [
        *document.problems,
        *first,
        *check_terms(everything),
        *check_references(everything),
        *further,
        *(problem for name in profiles for problem in check_profile(everything, name, wrong)),
        *check_plausibility(everything),
    ]
    found.sort(key=lambda p: (document.line_of(p.location), p.rule, str(p.location)))
    return Report(document, tuple(dict.fromkeys(found)), tuple(profiles), strict)
