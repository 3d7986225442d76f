"""What every reader of protocols returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clemkit.errors import Problem

__all__ = ["ProtocolReading"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolReading:
    """A protocol as it was read.

    Attributes
    ----------
    data : mapping
        A description in long form, as `metadata.models.build` takes it: ``id``, ``name``,
        ``protocols``, and what they refer to (``reagents``, ``instruments``, ``agents``, …).
    findings : tuple of Problem
        What was ambiguous, unknown or not understood; locations are paths into `data`.
    """

    data: Mapping[str, Any]
    findings: tuple[Problem, ...] = ()
