"""The reagents and instruments that a protocol refers to: each once, with an id."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.protocols.grounding import (
    ground,
    ground_instrument,
    instrument_entry,
    material_entry,
)
from clemkit.metadata.protocols.text.materials import NamedMaterial

__all__ = ["Registry", "slug"]


def slug(words: str, fallback: str = "protocol") -> str:
    """Return an id made of *words*."""
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    made = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-").lower()[:60].strip("-")
    return made or fallback


class Registry:
    """Gives ids to what steps use, and collects what is not certain about it."""

    def __init__(self, name: str) -> None:
        self.experiment_id = slug(name)
        self.own_id = f"{self.experiment_id}-protocol"
        self._used = {self.experiment_id, self.own_id}
        self._materials: dict[str, dict[str, Any]] = {}
        self._instruments: dict[str, dict[str, Any]] = {}
        self._findings: dict[str, Problem] = {}

    def material(self, named: NamedMaterial) -> str | None:
        """Return the id of a material; None for one that the lexicon does not know."""
        if not named.is_known:
            return None
        if named.canonical not in self._materials:
            grounding = ground(named.verbatim)
            if grounding.canonical != named.canonical:
                grounding = ground(named.canonical)
            if grounding.match == "unknown":
                return None
            entry = material_entry(grounding, self._new_id(named.canonical), recipe=False)
            entry.pop("synonyms", None)
            self._materials[named.canonical] = entry
            if named.is_ambiguous:
                self._ambiguous(named, grounding.candidates)
        return str(self._materials[named.canonical]["id"])

    def instrument(self, canonical: str) -> str:
        """Return the id of an instrument."""
        if canonical not in self._instruments:
            entry = instrument_entry(ground_instrument(canonical), self._new_id(canonical))
            self._instruments[canonical] = entry
        return str(self._instruments[canonical]["id"])

    def unknown(self, words: str, place: tuple[str | int, ...]) -> None:
        """Take note of a material that the lexicon does not know."""
        message = f"expected a material of the lexicon; found {words!r}"
        hint = "kept by its name only; name it in full or give a term"
        self._findings.setdefault(
            f"?{words}", Problem(place, "protocol-unknown-material", "warning", message, hint)
        )

    def entries(self) -> dict[str, list[dict[str, Any]]]:
        """Return the lists of the description that hold what was registered."""
        found = {
            "reagents": list(self._materials.values()),
            "instruments": list(self._instruments.values()),
        }
        return {key: value for key, value in found.items() if value}

    def findings(self) -> tuple[Problem, ...]:
        """Return what is not certain, in the order in which it was met."""
        return tuple(self._findings.values())

    def _ambiguous(self, named: NamedMaterial, candidates: tuple[str, ...]) -> None:
        place = ("reagents", len(self._materials) - 1)
        listed = ", ".join(candidates) or "nothing in the lexicon"
        message = (
            f"expected a name with one meaning; found {named.verbatim!r}, which can be {listed}"
        )
        hint = f"taken as {named.canonical}; name it in full"
        self._findings.setdefault(
            named.verbatim, Problem(place, "protocol-ambiguous-material", "warning", message, hint)
        )

    def _new_id(self, words: str) -> str:
        base = slug(words, "material")
        made, number = base, 2
        while made in self._used:
            made, number = f"{base}-{number}", number + 1
        self._used.add(made)
        return made
