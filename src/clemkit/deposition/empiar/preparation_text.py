"""Sentences on how a specimen was prepared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from clemkit.deposition.empiar.description import Described, mappings, texts
from clemkit.deposition.empiar.wording import joined, plain_words, sentence

__all__ = ["preparation_sentences"]


def preparation_sentences(described: Described, image: Mapping[str, Any]) -> Iterator[str]:
    """Yield the preparation of the specimens of an image, in the order of the protocols."""
    told: set[str] = set()
    for name in texts(image.get("image_of")):
        specimen = described.thing(name)
        yield sentence(specimen.get("preparation_summary"))
        for protocol in _protocols(described, specimen, set()):
            if str(protocol.get("id")) not in told:
                told.add(str(protocol.get("id")))
                yield _protocol(protocol)
        states = [plain_words(s) for s in texts(specimen.get("specimen_states"))]
        if states:
            yield sentence(f"State of the specimen: {joined(states)}")


def _protocols(
    described: Described, specimen: Mapping[str, Any], seen: set[str]
) -> Iterator[Mapping[str, Any]]:
    """Yield protocols of what a specimen was cut from, then its own."""
    for name in texts(specimen.get("derived_from")):
        if name not in seen:
            seen.add(name)
            yield from _protocols(described, described.thing(name), seen)
    for name in texts(specimen.get("preparations")):
        protocol = described.thing(described.thing(name).get("planned"))
        if protocol:
            yield protocol
    for name in texts(specimen.get("preparation_protocols")):
        if described.thing(name):
            yield described.thing(name)


def _protocol(protocol: Mapping[str, Any]) -> str:
    steps = [_words(str(s.get("type") or "")) for s in mappings(protocol.get("steps"))]
    runs = [(words, len(list(same))) for words, same in groupby(s for s in steps if s)]
    listed = ", ".join(words if count == 1 else f"{count} x {words}" for words, count in runs)
    name = protocol.get("name") or protocol.get("id")
    return sentence(f"Preparation ({name}): {listed}" if listed else f"Preparation: {name}")


def _words(class_name: str) -> str:
    return "".join(f" {c.lower()}" if c.isupper() else c for c in class_name).strip()
