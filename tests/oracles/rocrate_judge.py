"""Judges crates with rocrate-validator, without a network. Runs in `.venv-judges`, not in `.venv`.

    .venv-judges/bin/python tests/oracles/rocrate_judge.py PROFILE CRATE [CRATE ...]

Prints JSON: for each crate the required checks that failed. The validator fetches the JSON-LD
contexts of RO-Crate. Here it gets a stand-in with the terms below. Each was compared with the
published contexts 1.1.3 and 1.2.0, on 2026-11-21, and means the same there; so a term that is not
listed fails as one unknown to RO-Crate would. Not judged offline: whether addresses outside the
crate answer.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import requests
from rocrate_validator import models, services
from rocrate_validator.utils import http

SCHEMA_TERMS = [
    "Action", "Collection", "CreateAction", "CreativeWork", "Dataset", "DefinedTerm", "Grant",
    "HowToDirection", "HowToStep", "HowToTool", "IndividualProduct", "Organization", "Person",
    "PropertyValue", "QuantitativeValue", "ScholarlyArticle", "SoftwareApplication", "about",
    "actionStatus", "additionalProperty", "additionalType", "address", "affiliation", "agent",
    "alternateName", "author", "citation", "contentSize", "datePublished", "description",
    "email", "encodingFormat", "endTime", "familyName", "funder", "funding", "givenName",
    "hasPart", "identifier", "instrument", "isBasedOn", "keywords", "license", "manufacturer",
    "maxValue", "measurementTechnique", "mentions", "minValue", "name", "object", "position",
    "publisher", "result", "sameAs", "serialNumber", "size", "softwareVersion", "startTime",
    "step", "supply", "termCode", "text", "tool", "totalTime", "unitCode", "unitText", "url",
    "value", "version",
]  # fmt: skip
NEWER_TERMS = ["ChemicalSubstance", "Taxon", "sha256", "taxonomicRange"]  # since 1.2
OTHER_TERMS = {
    "File": "http://schema.org/MediaObject",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "schema": "http://schema.org/",
}


def context(version: str) -> bytes:
    """Return the stand-in for the context of one version."""
    terms = {term: f"http://schema.org/{term}" for term in SCHEMA_TERMS} | OTHER_TERMS
    if version == "1.2":
        terms |= {term: f"http://schema.org/{term}" for term in NEWER_TERMS}
        terms["Profile"] = "http://www.w3.org/ns/dx/prof/Profile"
    return json.dumps({"@context": terms}).encode()


class NoNetwork:
    """Answers for the two contexts, and refuses everything else."""

    def get(self, url: str, **_: Any) -> requests.Response:
        response = requests.Response()
        response.url, response.status_code = url, 404
        for version in ("1.1", "1.2"):
            if url == f"https://w3id.org/ro/crate/{version}/context":
                response.status_code = 200
                response.headers["Content-Type"] = "application/ld+json"
                response._content = context(version)
        return response

    head = get


def judged(profile: str, crate: str) -> list[str]:
    """Return what a crate fails of the required checks of a profile."""
    settings = services.ValidationSettings(
        rocrate_uri=crate,
        profile_identifier=profile,
        requirement_severity=models.Severity.REQUIRED,
        offline=True,
    )
    http.HttpRequester().session = NoNetwork()
    result = services.validate(settings)
    return [f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues()]


def main() -> None:
    """Judge the crates of the command line."""
    profile, *crates = sys.argv[1:]
    http.HttpRequester(offline=True)
    print(json.dumps({crate: judged(profile, crate) for crate in crates}))


if __name__ == "__main__":
    main()
