"""Protocols and methods of a description as entities of a BIA crate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from clemkit.deposition.empiar.description import Described, mappings, texts
from clemkit.deposition.empiar.wording import joined, plain_words, quantity_text, sentence
from clemkit.deposition.imaging_methods import method_terms, method_words
from clemkit.deposition.prose import acquisition_prose, preparation_prose, prose_protocols

__all__ = ["crate_id", "link", "links", "method_entities", "preparation_id", "without_gaps"]

Entity = dict[str, Any]
_UNKNOWN = "Not described."


def crate_id(name: object) -> str:
    """Return the ``@id`` of a thing of the description."""
    return f"#{quote(str(name), safe='')}"


def preparation_id(specimen: object) -> str:
    """Return the ``@id`` of the preparation of a specimen."""
    return crate_id(f"preparation-of-{specimen}")


def link(name: object) -> dict[str, str]:
    """Return a reference to a thing of the description."""
    return {"@id": crate_id(name)}


def links(names: object) -> list[dict[str, str]]:
    """Return references to things of the description."""
    return [link(name) for name in texts(names)]


def without_gaps(entity: Entity) -> Entity:
    """Return an entity without fields that have no value."""
    return {key: value for key, value in entity.items() if value not in (None, "", [])}


def method_entities(described: Described) -> Iterator[Entity]:
    """Yield preparations, acquisitions, annotations, analyses, correlations and processing."""
    for _, specimen in described.all("specimens"):
        yield from _preparation(described, specimen)
    for _, acquisition in described.all("acquisitions"):
        yield _acquisition(described, acquisition)
    for _, annotation in described.all("annotation_sets"):
        yield _annotation(annotation)
    for _, result in described.all("analysis_results"):
        yield without_gaps(
            {
                "@id": crate_id(result["id"]),
                "@type": ["bia:ImageAnalysisMethod"],
                "title": result.get("name") or result["id"],
                "protocolDescription": result.get("analysis_method") or _UNKNOWN,
                "featuresAnalysed": result.get("analysis_result_kind"),
            }
        )
    for _, correlation in described.all("correlations"):
        yield _correlation(described, correlation)
    for _, step in described.all("processing_steps"):
        yield _processing(described, step)


def _preparation(described: Described, specimen: Mapping[str, Any]) -> Iterator[Entity]:
    title = f"Preparation of {specimen.get('name') or specimen['id']}"
    text = preparation_prose(described, specimen["id"])
    plans = prose_protocols(described, specimen)
    if len(plans) == 1 and not specimen.get("preparation_summary"):
        title, text = str(plans[0].get("name") or title), str(plans[0]["description"])
    contrast = joined([plain_words(c) for c in texts(specimen.get("contrast_mechanisms"))])
    channels: list[Entity] = []
    for number, label in enumerate(mappings(specimen.get("labels")), 1):
        target = label.get("label_target") or {}
        entity = {
            "@id": crate_id(f"{specimen['id']}-label-{number}"),
            "@type": ["bia:SignalChannel"],
            "signalContrastMechanismDescription": contrast,
            "channelContentDescription": label.get("label_name"),
            "channelBiologicalEntity": label.get("label_target_name") or target.get("term_label"),
            "channelLabel": label.get("channel_name"),
        }
        channels.append(without_gaps(entity))
    if contrast and not channels:
        channels.append(
            {
                "@id": crate_id(f"{specimen['id']}-contrast"),
                "@type": ["bia:SignalChannel"],
                "signalContrastMechanismDescription": contrast,
            }
        )
    yield without_gaps(
        {
            "@id": preparation_id(specimen["id"]),
            "@type": ["bia:SpecimenImagingPreparationProtocol"],
            "title": title,
            "protocolDescription": text or _UNKNOWN,
            "signalChannelInformation": [{"@id": c["@id"]} for c in channels],
        }
    )
    yield from channels


def _acquisition(described: Described, acquisition: Mapping[str, Any]) -> Entity:
    instrument = described.thing(acquisition.get("instrument"))
    words = (instrument.get(k) for k in ("name", "manufacturer", "model_name"))
    terms = method_terms(acquisition)
    method = str(acquisition.get("imaging_method") or "")
    names = [label for label, _ in terms]
    if method and method != "other_method":
        names = list(dict.fromkeys([method_words(method), *names]))
    entity = {
        "@id": crate_id(acquisition["id"]),
        "@type": ["bia:ImageAcquisitionProtocol"],
        "title": acquisition.get("name") or acquisition["id"],
        "protocolDescription": acquisition_prose(described, acquisition["id"]) or _UNKNOWN,
        "imagingInstrumentDescription": ", ".join(str(w) for w in words if w) or _UNKNOWN,
        "imagingMethodName": names,
        "fbbiId": [f"obo:{curie.replace(':', '_')}" for _, curie in terms],
    }
    return without_gaps(entity)


def _annotation(annotation: Mapping[str, Any]) -> Entity:
    told = (annotation.get("description"), annotation.get("annotation_method"))
    entity = {
        "@id": crate_id(annotation["id"]),
        "@type": ["bia:AnnotationMethod"],
        "title": annotation.get("name") or annotation["id"],
        "protocolDescription": " ".join(str(t) for t in told if t) or _UNKNOWN,
        "annotationCriteria": annotation.get("annotation_criteria"),
        "annotationCoverage": annotation.get("annotation_coverage"),
        "methodType": texts(annotation.get("annotation_kinds")),
    }
    return without_gaps(entity)


def _correlation(described: Described, correlation: Mapping[str, Any]) -> Entity:
    moving, fixed = (described.named(correlation.get(k)) for k in ("moving_image", "fixed_image"))
    told = [f"{moving} was registered to {fixed}."]
    told += [sentence(correlation.get(k)) for k in ("method_summary", "spatial_alignment")]
    told.append(sentence(correlation.get("temporal_alignment")))
    for error in mappings(correlation.get("correlation_errors")):
        if median := quantity_text(error.get("error_median")):
            told.append(f"Median error ({plain_words(error.get('error_kind'))}): {median}.")
    matrix = next((t for t in mappings(correlation.get("transforms")) if t.get("matrix")), None)
    text = ""
    if matrix:
        axes, unit = matrix.get("matrix_axes", ""), matrix.get("matrix_unit", "")
        values = ", ".join(f"{v:g}" for v in matrix["matrix"])
        text = f"[{values}] ({matrix.get('transform_direction')}, {axes}, {unit})"
    entity = {
        "@id": crate_id(correlation["id"]),
        "@type": ["bia:ImageCorrelationMethod"],
        "title": correlation.get("name") or f"{moving} to {fixed}",
        "protocolDescription": " ".join(t for t in told if t),
        "fiducialsUsed": correlation.get("fiducials_used"),
        "transformationMatrix": text,
    }
    return without_gaps(entity)


def _processing(described: Described, step: Mapping[str, Any]) -> Entity:
    kind = plain_words(step.get("processing_kind"))
    programs = [described.thing(n) for n in texts(step.get("software"))]
    named = [
        " ".join(str(p[k]) for k in ("name", "software_version") if p.get(k)) for p in programs
    ]
    told = [sentence(step.get("processing_summary_text") or step.get("description") or kind)]
    if named:
        told.append(f"Software: {joined([n for n in named if n])}.")
    if command := texts(step.get("command_line")):
        told.append(f"Command: {' '.join(command)}")
    return {
        "@id": crate_id(step["id"]),
        "@type": ["bia:Protocol"],
        "title": step.get("name") or step["id"],
        "protocolDescription": " ".join(t for t in told if t) or _UNKNOWN,
    }
