"""Acquisitions and preparations in sentences, for archives that take prose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clemkit.deposition.empiar.acquisition_text import acquisition_sentences
from clemkit.deposition.empiar.description import Described, texts
from clemkit.deposition.empiar.preparation_text import preparation_sentences

__all__ = ["acquisition_prose", "preparation_prose", "prose_protocols"]


def acquisition_prose(described: Described, acquisition: object) -> str:
    """Return what is described about an acquisition but its instrument, which has its own field."""
    told = acquisition_sentences(described, {"acquired_by": acquisition}, {})
    own = str(described.thing(acquisition).get("acquisition_summary") or "")
    return _once(s for s in told if not s.startswith("Instrument:") or s.rstrip(".") in own)


def preparation_prose(described: Described, specimen: object) -> str:
    """Return what is described about the preparation of a specimen; empty when nothing is."""
    told = list(preparation_sentences(described, {"image_of": [specimen]}, {}))
    plans = prose_protocols(described, described.thing(specimen))
    # sentences are made of steps; a plan without steps has its own words
    return _once([*told, *(str(p["description"]) for p in plans)])


def prose_protocols(described: Described, specimen: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the protocols of a specimen that are words and no steps; growth is not preparation."""
    runs = (described.thing(n) for n in texts(specimen.get("preparations")))
    planned = [str(r["planned"]) for r in runs if r.get("planned")]
    names = dict.fromkeys([*planned, *texts(specimen.get("preparation_protocols"))])
    plans = (described.thing(n) for n in names)
    return [
        p
        for p in plans
        if p.get("description") and not p.get("steps") and p.get("name") != "Growth protocol"
    ]


def _once(sentences: Iterable[str]) -> str:
    """Return sentences in a row; what prose of the description says already is not said again."""
    text = ""
    for sentence in sentences:
        if sentence and sentence not in text:
            text = f"{text} {sentence}" if text else sentence
    return text
