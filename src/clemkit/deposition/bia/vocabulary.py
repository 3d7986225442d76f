"""The vocabulary of BIA crates: classes with their fields, terms with their addresses.

Learned from the crates, the context and the validator that the BioImage Archive publishes
(bia-integrator, Apache-2.0); a field is ``text``, ``number``, ``address`` or ``link``, ``!`` means
required, ``*`` a list, ``+`` a list with at least one item.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CLASSES", "COLUMN_TARGETS", "NAMESPACES", "TERMS", "context"]

NAMESPACES: Final[Mapping[str, str]] = {
    "bia": "http://bia/",
    "csvw": "http://www.w3.org/ns/csvw#",
    "dc": "http://purl.org/dc/terms/",
    "dwc": "http://rs.tdwg.org/dwc/terms/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "schema": "http://schema.org/",
}
# those of the context; the others are written out in it
_PREFIXES = ("bia", "csvw", "dc", "rdf", "schema")
_SAME_NAME = (
    "acknowledgement", "annotationCoverage", "annotationCriteria", "annotationMethod",
    "annotationSourceIndicator", "associatedAnnotationMethod", "associatedBiologicalEntity",
    "associatedCreationProcess", "associatedImageAcquisitionProtocol", "associatedProtocol",
    "associatedSourceImage", "authorNames", "biologicalEntityDescription",
    "channelBiologicalEntity", "channelContentDescription", "experimentalVariableDescription",
    "extrinsicVariableDescription", "fbbiId", "featuresAnalysed", "fiducialsUsed",
    "growthProtocol", "imageAcquisitionProtocol", "imagingInstrumentDescription",
    "imagingMethodName", "imagingPreparationProtocol", "inputImage",
    "intrinsicVariableDescription", "protocol", "pubmedId", "relatedPublication", "resultOf",
    "role", "signalChannelInformation", "signalContrastMechanismDescription",
    "spatialInformation", "subject", "transformationDescription", "transformationMatrix",
    "website", "yearPublished",
)  # fmt: skip
_SCHEMA = (
    "additionalType", "address", "datePublished", "description", "funder", "funding", "hasPart",
    "license", "name",
)  # fmt: skip
TERMS: Final[Mapping[str, str]] = {
    **{name: f"bia:{name}" for name in _SAME_NAME},
    **{name: f"schema:{name}" for name in _SCHEMA},
    **{name: f"csvw:{name}" for name in ("column", "propertyUrl", "tableSchema")},
    **dict.fromkeys(("displayName", "label", "title"), "schema:name"),
    **dict.fromkeys(("accessionId", "doi"), "schema:identifier"),
    **dict.fromkeys(("channelLabel", "identifier"), "dc:identifier"),
    "affiliation": "schema:memberOf",
    "associatedImageAnalysisMethod": "bia:associatedAnalysisMethod",
    "associatedImageCorrelationMethod": "bia:associatedCorrelationMethod",
    "associatedSpecimen": "bia:associatedSubject",
    "associatedSpecimenImagingPreparationProtocol": "bia:associatedImagingPreparationProtocol",
    "biologicalEntity": "bia:sampleOf",
    "columnName": "csvw:name",
    "commonName": "dwc:vernacularName",
    "contactEmail": "schema:email",
    "contributor": "schema:author",
    "keyword": "schema:keywords",
    "methodType": "bia:annotationMethodType",
    "organismClassification": "schema:taxonomicRange",
    "protocolDescription": "schema:description",
    "scientificName": "dwc:scientificName",
    "seeAlso": "rdfs:seeAlso",
}

_PROTOCOL = {"title": "text", "protocolDescription": "text!"}
CLASSES: Final[Mapping[str, Mapping[str, str]]] = {
    "bia:Study": {
        "name": "text!", "contributor": "link+", "description": "text!", "license": "address!",
        "datePublished": "text!", "keyword": "text*", "acknowledgement": "text",
        "hasPart": "link*!", "accessionId": "text!", "seeAlso": "link*",
        "relatedPublication": "link*", "funding": "link*",
    },
    "bia:Publication": {
        "name": "text", "authorNames": "text", "yearPublished": "number", "pubmedId": "text",
        "doi": "text",
    },
    "bia:Contributor": {
        "displayName": "text!", "address": "text", "website": "address", "affiliation": "link*",
        "role": "text*", "contactEmail": "text",
    },
    "bia:Affiliation": {"displayName": "text!", "address": "text", "website": "address"},
    "bia:Grant": {"funder": "link*!", "name": "text", "identifier": "text"},
    "bia:FundingBody": {"name": "text", "identifier": "text"},
    "bia:ExternalReference": {"description": "text", "additionalType": "text"},
    "bia:Dataset": {
        "name": "text!", "description": "text", "associatedBiologicalEntity": "link*",
        "associatedSpecimenImagingPreparationProtocol": "link*", "associatedSpecimen": "link",
        "associatedCreationProcess": "link", "associatedSourceImage": "link*",
        "associatedImageAcquisitionProtocol": "link*", "associatedAnnotationMethod": "link*",
        "associatedImageAnalysisMethod": "link*", "associatedImageCorrelationMethod": "link*",
        "associatedProtocol": "link*", "hasPart": "link*",
    },
    "bia:FileList": {"tableSchema": "link!"},
    "csvw:Schema": {"column": "link+"},
    "csvw:Column": {"columnName": "text!", "propertyUrl": "text"},
    "bia:Image": {"resultOf": "link", "label": "text"},
    "bia:AnnotationData": {"resultOf": "link", "label": "text"},
    "bia:Specimen": {"biologicalEntity": "link+", "imagingPreparationProtocol": "link+"},
    "bia:CreationProcess": {
        "imageAcquisitionProtocol": "link*", "subject": "link", "protocol": "link*",
        "annotationMethod": "link*", "inputImage": "link*",
    },
    "bia:BioSample": {
        "title": "text", "biologicalEntityDescription": "text!",
        "experimentalVariableDescription": "text*", "extrinsicVariableDescription": "text*",
        "intrinsicVariableDescription": "text*", "organismClassification": "link*",
        "growthProtocol": "link",
    },
    "bia:Taxon": {"commonName": "text", "scientificName": "text"},
    "bia:Protocol": _PROTOCOL,
    "bia:SpecimenImagingPreparationProtocol": {**_PROTOCOL, "signalChannelInformation": "link*"},
    "bia:SignalChannel": {
        "signalContrastMechanismDescription": "text", "channelContentDescription": "text",
        "channelBiologicalEntity": "text", "channelLabel": "text",
    },
    "bia:ImageAcquisitionProtocol": {
        **_PROTOCOL, "imagingInstrumentDescription": "text!", "imagingMethodName": "text*",
        "fbbiId": "text*",
    },
    "bia:AnnotationMethod": {
        **_PROTOCOL, "annotationCriteria": "text", "annotationCoverage": "text",
        "transformationDescription": "text", "spatialInformation": "text", "methodType": "text*",
        "annotationSourceIndicator": "text",
    },
    "bia:ImageAnalysisMethod": {**_PROTOCOL, "featuresAnalysed": "text"},
    "bia:ImageCorrelationMethod": {
        **_PROTOCOL, "fiducialsUsed": "text", "transformationMatrix": "text",
    },
    "schema:CreativeWork": {"conformsTo": "link!", "about": "link!"},
}  # fmt: skip
# columns of the list of files whose values are ids of the crate, and the class they need
COLUMN_TARGETS: Final[Mapping[str, str]] = {
    "bia:associatedAnnotationMethod": "bia:AnnotationMethod",
    "bia:associatedBiologicalEntity": "bia:BioSample",
    "bia:associatedImageAcquisitionProtocol": "bia:ImageAcquisitionProtocol",
    "bia:associatedImagingPreparationProtocol": "bia:SpecimenImagingPreparationProtocol",
    "bia:associatedProtocol": "bia:Protocol",
    "bia:associatedSubject": "bia:Specimen",
    "schema:isPartOf": "bia:Dataset",
}


def context() -> dict[str, object]:
    """Return the terms as the second part of a crate's ``@context``."""
    terms: dict[str, object] = {name: NAMESPACES[name] for name in _PREFIXES}
    for name, target in sorted(TERMS.items()):
        prefix, _, local = target.partition(":")
        terms[name] = {"@id": target if prefix in _PREFIXES else NAMESPACES[prefix] + local}
    return terms
