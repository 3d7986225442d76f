"""Checking a protocol: whether chemistry and order can work and what matters is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.protocols.plausibility import limits, missing, order, resin
from clemkit.metadata.protocols.plausibility.preparation import Preparation, materials_by_id

__all__ = ["check_protocol"]

_RULES = (*order.RULES, *resin.RULES, *limits.RULES, *missing.RULES)


def check_protocol(
    protocol: Mapping[str, Any], reagents: Mapping[str, Any] | Sequence[Mapping[str, Any]] = ()
) -> list[Problem]:
    """Return what is implausible in a protocol.

    All findings are warnings: each rule has exceptions that a specialist knows. A rule is silent
    where the protocol does not say enough.

    Parameters
    ----------
    protocol : mapping
        One Protocol in long form.
    reagents : mapping or sequence of mapping
        The reagents that it refers to, in long form; a mapping has their ids as keys.

    Returns
    -------
    list of Problem
        Findings in the order of steps; locations are paths into *protocol*.
    """
    preparation = Preparation.of(protocol, materials_by_id(reagents))
    found = [problem for rule in _RULES for problem in rule(preparation)]
    return sorted(dict.fromkeys(found), key=lambda p: (p.location[1], p.rule, str(p.location)))
