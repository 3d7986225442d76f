"""Sentences on how image sets belong together: derivation, registration and its error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clemkit.deposition.empiar.description import Described, mappings, texts
from clemkit.deposition.empiar.wording import joined, plain_words, quantity_text, sentence

__all__ = ["relation_sentences"]

_ERRORS = {
    "held_out": "Registration error, held out (landmarks that the fit never used)",
    "leave_one_out": "Registration error, leave-one-out",
    "repeat": "Registration error between repeats",
    "estimate": "Registration error, estimated by eye",
    "fit": "Residual of the registration's fit (no measure of accuracy elsewhere)",
}
# what says most about accuracy comes first; a fit only where there is nothing else
_TRUST = ("held_out", "leave_one_out", "repeat", "estimate", "fit")


def relation_sentences(
    described: Described, image: Mapping[str, Any], sets: Mapping[str, str]
) -> Iterator[str]:
    """Yield how an image set lies to the others of the deposition.

    Parameters
    ----------
    described : Described
        The description.
    image : mapping
        The image.
    sets : mapping of str to str
        Image sets as ``name (folder)``, by the ids of their images.
    """
    own = str(image.get("id"))
    sources = [_set(n, described, sets) for n in texts(image.get("derived_from_images"))]
    if sources:
        yield f"Made from {joined(sources)}."
    made = [
        sets[str(other["id"])]
        for _, other in described.all("images")
        if own in texts(other.get("derived_from_images")) and str(other.get("id")) in sets
    ]
    if made:
        yield f"From it was made {joined([f'image set {m}' for m in made])}."
    for _, correlation in described.all("correlations"):
        if own in (correlation.get("fixed_image"), correlation.get("moving_image")):
            yield from _correlation(described, correlation, own, sets)
        elif image.get("image_kind") == "registered" and correlation.get("moving_image") in texts(
            image.get("derived_from_images")
        ):
            onto = _set(str(correlation.get("fixed_image")), described, sets)
            yield f"Warped into the frame of {onto}{_by(correlation)}."
            yield from _error(correlation)
    for _, annotation in described.all("annotation_sets"):
        if own in texts(annotation.get("annotation_images")):
            yield from _annotation(described, annotation, sets)


def _annotation(
    described: Described, annotation: Mapping[str, Any], sets: Mapping[str, str]
) -> Iterator[str]:
    shown = [_set(n, described, sets) for n in texts(annotation.get("annotated_images"))]
    structures = _labels(annotation.get("annotated_structures"))
    of = f" of {structures}" if structures else ""
    yield f"Annotation{of}{f' in {joined(shown)}' if shown else ''}."
    yield sentence(annotation.get("annotation_method"))


def _labels(terms: object) -> str:
    return joined([str(t.get("term_label") or t.get("term") or "") for t in mappings(terms)])


def _by(correlation: Mapping[str, Any]) -> str:
    kinds = [plain_words(t.get("transform_kind")) for t in mappings(correlation.get("transforms"))]
    return f" by {joined(kinds)} transform" if kinds else ""


def _set(name: str, described: Described, sets: Mapping[str, str]) -> str:
    known = sets.get(name)
    return f"image set {known}" if known else f"{described.named(name)} (not in this entry)"


def _correlation(
    described: Described, correlation: Mapping[str, Any], own: str, sets: Mapping[str, str]
) -> Iterator[str]:
    fixed = str(correlation.get("fixed_image"))
    moving = str(correlation.get("moving_image"))
    by = _by(correlation)
    if own == moving:
        yield f"Registered onto {_set(fixed, described, sets)}{by}."
    else:
        yield f"{_capital(_set(moving, described, sets))} is registered onto this one{by}."
    yield from _error(correlation)
    if correlation.get("correlation_status") in ("uncertain", "failed"):
        yield f"The registration is marked as {correlation['correlation_status']}."
    structures = _labels(correlation.get("structures_used"))
    if structures:
        yield sentence(f"Structures seen in both: {structures}")
    for slot in ("image_relationship", "temporal_alignment"):
        yield sentence(correlation.get(slot))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _error(correlation: Mapping[str, Any]) -> Iterator[str]:
    errors = {str(e.get("error_kind")): e for e in mappings(correlation.get("correlation_errors"))}
    kind = next((k for k in _TRUST if k in errors), None)
    if kind is None:
        yield "No error of this registration is described."
        return
    error = errors[kind]
    measure = "median" if error.get("error_median") else "mean"
    size = quantity_text(error.get("error_median") or error.get("error_mean"))
    low, high = (quantity_text(error.get(f"error_interval_{end}")) for end in ("low", "high"))
    between = f", 90 % interval {low} to {high}" if low and high else ""
    count = error.get("error_count")
    points = f", {count} points" if isinstance(count, int) else ""
    if size:
        yield f"{_ERRORS[kind]}: {measure} {size}{between}{points}."
