"""Sentences on how a specimen was prepared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clemkit.deposition.empiar.description import Described, mappings, texts
from clemkit.deposition.empiar.wording import joined, plain_words, sentence
from clemkit.metadata.protocols.prose import methods_paragraph, summary_sentence

__all__ = ["preparation_sentences"]

_LONGEST: Final = 2500  # characters of one protocol; then in short


def preparation_sentences(
    described: Described, image: Mapping[str, Any], sets: Mapping[str, str]
) -> Iterator[str]:
    """Yield the preparation of the specimens of an image, in the order of the protocols.

    Parameters
    ----------
    described : Described
        The description.
    image : mapping
        The image; one that was made from an image of the same deposition is told in short.
    sets : mapping of str to str
        Image sets of the deposition, by the ids of their images.
    """
    short = any(name in sets for name in texts(image.get("derived_from_images")))
    told: set[str] = set()
    for name in texts(image.get("image_of")):
        specimen = described.thing(name)
        yield sentence(specimen.get("preparation_summary"))
        for protocol, execution in _preparations(described, specimen, set()):
            if str(protocol.get("id")) not in told:
                told.add(str(protocol.get("id")))
                yield _protocol(described, protocol, short)
                yield _published(protocol)
            deviations = [d.get("description") for d in mappings(execution.get("deviations"))]
            if any(deviations):
                listed = "; ".join(str(d) for d in deviations if d)
                yield sentence(f"Deviations from the protocol: {listed}")
        states = [plain_words(s) for s in texts(specimen.get("specimen_states"))]
        if states:
            yield sentence(f"State of the specimen: {joined(states)}")


def _preparations(
    described: Described, specimen: Mapping[str, Any], seen: set[str]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield protocol and execution of what a specimen was cut from, then its own."""
    for name in texts(specimen.get("derived_from")):
        if name not in seen:
            seen.add(name)
            yield from _preparations(described, described.thing(name), seen)
    for name in texts(specimen.get("preparations")):
        execution = described.thing(name)
        if protocol := described.thing(execution.get("planned")):
            yield protocol, execution
    for name in texts(specimen.get("preparation_protocols")):
        if protocol := described.thing(name):
            yield protocol, {}


def _published(protocol: Mapping[str, Any]) -> str:
    """Return where a protocol can be found, such as EMPIAR's own preparation widget."""
    places = [
        f"{i.get('identifier_scheme')} {i.get('identifier_value')}"
        for i in mappings(protocol.get("identifiers"))
    ]
    if protocol.get("doi"):
        places.append(f"doi:{protocol['doi']}")
    return f"Protocol: {', '.join(places)}." if places else ""


def _protocol(described: Described, protocol: Mapping[str, Any], short: bool) -> str:
    name = protocol.get("name") or protocol.get("id")
    text = (
        summary_sentence(protocol, described.data)
        if short
        else methods_paragraph(protocol, described.data, limit=_LONGEST, plain=True)
    )
    return sentence(f"Preparation ({name}): {text}" if text else f"Preparation: {name}")
