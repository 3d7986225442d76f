"""No GPL package is a hard or an optional dependency."""

from __future__ import annotations

import re
from importlib import metadata

import pytest
from packaging.requirements import Requirement

EXTRAS = ("reg", "report", "elastix", "metadata")
# LGPL may be linked; a GCC runtime inside a wheel comes with its exception
COPYLEFT = re.compile(r"(?<![L])A?GPL(?!.*GCC-exception)|(?<!Lesser )General Public License")


def licence_texts(distribution: metadata.Distribution) -> list[str]:
    """Return what a distribution declares; long licence texts are left out."""
    meta = distribution.metadata
    texts = [meta.get("License-Expression") or "", meta.get("License") or ""]
    texts += [c for c in meta.get_all("Classifier") or [] if c.startswith("License")]
    return [text for text in texts if text and len(text) < 400]


def runtime_closure() -> dict[str, metadata.Distribution]:
    found: dict[str, metadata.Distribution] = {}
    queue = [("clemkit", frozenset(EXTRAS))]
    seen = set()
    while queue:
        name, extras = queue.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # an extra that is not installed here
        found[name] = distribution
        for text in distribution.requires or ():
            requirement = Requirement(text)
            active = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in (*extras, "")
            )
            if active:
                queue.append((requirement.name.lower(), frozenset(requirement.extras)))
    return found


def test_runtime_closure_has_no_gpl():
    closure = runtime_closure()
    assert {"numpy", "typer", "zarr", "simpleitk"} <= set(closure)
    offending = {
        name: text
        for name, distribution in closure.items()
        for text in licence_texts(distribution)
        if COPYLEFT.search(text)
    }
    assert offending == {}


@pytest.mark.parametrize(
    ("text", "copyleft"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("LGPL-3.0-or-later", False),
        ("BSD-3-Clause AND GPL-3.0-or-later WITH GCC-exception-3.1", False),
        ("MIT", False),
    ],
)
def test_the_pattern_knows_copyleft(text, copyleft):
    assert bool(COPYLEFT.search(text)) is copyleft


def test_base_install_is_light():
    base = {
        Requirement(text).name
        for text in metadata.requires("clemkit") or ()
        if "extra ==" not in text
    }
    assert base == {"numpy", "typer", "rich", "pyyaml"}
