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
    rf"anti[- ](?P<target>(?:{_SPECIES})(?![\w])|[^\W_]+(?:-[^\W_]+)?)"
    r"(?P<more>(?:\s+(?:IgG|IgM|IgY|F\(ab'?\)2|Fab))?(?:\s+(?:antibod(?:y|ies)|serum|antiserum))?)",
    re.IGNORECASE,
)


_SHORT = re.compile(r"(?<![\w-])(GAM|GAR|DAM|DAR|GAH|RAM|SAM)(?![\w-])")
_HOSTS = {"G": "goat", "D": "donkey", "R": "rabbit", "S": "sheep"}
_TARGETS = {"M": "mouse", "R": "rabbit", "H": "human"}
_NO_ANTIBODY = frozenset(
    {"roll", "fade", "fading", "static", "vibration", "contamination", "clockwise", "capillary"}
    | {"bleach", "bleaching", "freeze", "reflection", "drift", "stick", "fatigue", "foam", "twist"}
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
    plain = plain_characters(text)
    for found in _ANTIBODY.finditer(plain):
        target = found["target"]
        if target.split("-")[0].lower() in _NO_ANTIBODY:
            continue
        animal = re.fullmatch(_SPECIES, target, re.IGNORECASE)
        more = found["more"]
        yield NamedAntibody(
            found.start(),
            found.end() - len(more) + len(more.rstrip()),
            target.lower() if animal else text[found.start("target") : found.end("target")],
            found["host"].lower() if found["host"] else None,
            found["clone"].lower() if found["clone"] else None,
        )
    for found in _SHORT.finditer(plain):
        host, target = _HOSTS[found[1][0]], _TARGETS[found[1][2]]
        yield NamedAntibody(found.start(), found.end(), target, host, None)
