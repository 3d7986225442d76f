"""Acquisitions and preparations in sentences, for archives that take prose."""

from __future__ import annotations

from clemkit.deposition.empiar.acquisition_text import acquisition_sentences
from clemkit.deposition.empiar.description import Described
from clemkit.deposition.empiar.preparation_text import preparation_sentences

__all__ = ["acquisition_prose", "preparation_prose"]


def acquisition_prose(described: Described, acquisition: object) -> str:
    """Return what is described about an acquisition; empty when that is nothing."""
    return " ".join(
        s for s in acquisition_sentences(described, {"acquired_by": acquisition}, {}) if s
    )


def preparation_prose(described: Described, specimen: object) -> str:
    """Return what is described about the preparation of a specimen; empty when nothing is."""
    return " ".join(s for s in preparation_sentences(described, {"image_of": [specimen]}, {}) if s)
