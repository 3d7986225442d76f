"""Antibodies that are named by what they bind: ``rabbit anti-GFP``, ``goat anti-mouse IgG``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from clemkit.metadata.protocols.forms import plain_characters

__all__ = ["NamedAntibody", "antibodies_in"]

_SPECIES = (
    "rabbit|mouse|rat|goat|donkey|sheep|chicken|guinea[- ]pig|human|llama|hamster|swine|bovine"
)
_ANTIBODY = re.compile(
    rf"(?<![\w-])(?:(?P<host>{_SPECIES})\s+)?(?:(?P<clone>monoclonal|polyclonal)\s+)?"
    rf"anti[- ](?P<target>(?:{_SPECIES})(?![\w])|[A-Za-z0-9]+(?:-[A-Za-z0-9]+)?)"
    r"(?P<more>(?:\s+(?:IgG|IgM|IgY|F\(ab'?\)2|Fab))?(?:\s+(?:antibod(?:y|ies)|serum|antiserum))?)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class NamedAntibody:
    """An antibody in a text, at ``text[start:end]``."""

    start: int
    end: int
    target: str
    host: str | None
    clonality: str | None

    @property
    def name(self) -> str:
        """The canonical name: what it binds."""
        return f"anti-{self.target} antibody"

    @property
    def is_secondary(self) -> bool:
        """Whether it binds antibodies of an animal."""
        return re.fullmatch(_SPECIES, self.target, re.IGNORECASE) is not None


def antibodies_in(text: str) -> Iterator[NamedAntibody]:
    """Yield the antibodies that *text* names; ``anti-roll`` and ``anti-fade`` are none."""
    for found in _ANTIBODY.finditer(plain_characters(text)):
        target = found["target"]
        animal = re.fullmatch(_SPECIES, target, re.IGNORECASE)
        # a gene or protein has a capital or a digit; a plain word needs "antibody" behind it
        named = any(c.isupper() or c.isdigit() for c in target)
        if animal or named or found["more"].strip():
            yield NamedAntibody(
                found.start(),
                found.end() - len(found["more"]) + len(found["more"].rstrip()),
                target.lower() if animal else target,
                found["host"].lower() if found["host"] else None,
                found["clone"].lower() if found["clone"] else None,
            )
