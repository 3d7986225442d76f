"""What was done before a clause, and what a clause itself says."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

__all__ = ["Evidence", "History"]

_WET = frozenset(("Rinsing", "Incubation", "ImmunoLabelling", "Quenching", "DabReaction"))
_BESIDE_SECTIONS = frozenset(
    ("ImmunoLabelling", "FluorescentLabelling", "Incubation", "Quenching", "SectionCollection")
)


@dataclass(slots=True)
class History:
    """What was done before: it decides what *stained* or *osmium* means."""

    osmium: bool = False
    frozen: bool = False
    substituted: bool = False
    resin: bool = False
    cured: bool = False
    sectioned: bool = False
    classes: list[str] = field(default_factory=list)

    def add(self, name: str, groups: Collection[str], thin: bool) -> None:
        """Take note of a step."""
        fresh = name in ("CellCulture", "Anaesthesia", "Perfusion") or (
            name == "ChemicalFixation" and self._last() not in _BESIDE_SECTIONS
        )
        if fresh and (self.sectioned or self.cured):
            self.osmium = self.frozen = self.substituted = False
            self.resin = self.cured = self.sectioned = False
        if name in _WET and {"water", "buffer"} & set(groups) and not self.substituted:
            self.frozen = False  # thawed
        if name in ("ChemicalFixation", "Perfusion") and "osmium" not in groups:
            self.osmium = False
        self.classes.append(name)
        self.osmium |= "osmium" in groups and name in (
            "PostFixation",
            "FreezeSubstitution",
            "ChemicalFixation",
        )
        self.frozen |= name in ("HighPressureFreezing", "PlungeFreezing")
        self.substituted |= name == "FreezeSubstitution"
        self.resin |= name == "Infiltration"
        self.cured |= name in ("OvenCuring", "UvPolymerization")
        if (
            name == "PostStaining"
            or (name == "SectionCollection" and (thin or self.cured))
            or (name == "Sectioning" and (thin or self.cured))
        ):
            self.sectioned = True

    def _last(self) -> str:
        treated = [
            c for c in self.classes[:-1] if c not in ("Rinsing", "OtherStep", "UnparsedStep")
        ]
        return treated[-1] if treated else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a clause says.

    Attributes
    ----------
    action : str
        What is done; empty when no word says it.
    groups : frozenset of str
        What the named materials are for.
    words : str
        The clause.
    history : History
        What was done before.
    hottest : float or None
        Highest temperature, °C.
    timed, repeated, diluted : bool
        Whether there is a time or a number of repeats; a number of repeats; a dilution.
    """

    action: str
    groups: frozenset[str]
    words: str
    history: History
    hottest: float | None
    timed: bool
    repeated: bool
    diluted: bool

    def soaking(self) -> Evidence:
        """Return the same clause as if it only said that something was incubated for a time."""
        return replace(self, action="incubate", timed=True)
