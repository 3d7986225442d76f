"""What an imported document says and the model has no field for, kept in ``archive_settings``.

Each is a parameter whose name begins with the form it came from, such as ``pagetab:Phenotype``,
with the value as JSON; writing the form again puts it back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from clemkit.errors import Problem

__all__ = ["keep", "kept", "not_in_model"]


def keep(thing: dict[str, Any], form: str, name: str, value: Any) -> None:
    """Keep *value* under *name* of the form in a thing of the model."""
    text = json.dumps(value, ensure_ascii=False)
    entry = {"parameter_name": f"{form}:{name}", "parameter_json": text}
    thing.setdefault("archive_settings", []).append(entry)


def kept(thing: Mapping[str, Any], form: str) -> Iterator[tuple[str, Any]]:
    """Yield name and value of what was kept of a form, in order."""
    for entry in thing.get("archive_settings") or ():
        prefix, colon, name = str(entry.get("parameter_name", "")).partition(":")
        if colon and prefix == form:
            yield name, json.loads(entry.get("parameter_json") or "null")


def not_in_model(location: tuple[str | int, ...], what: str, where: str) -> Problem:
    """Return the finding that something has no field in the model and was kept."""
    message = f"expected a field of the model for {what}; found none"
    hint = f"kept in archive_settings of {where}, and written back from there"
    return Problem(location, "IMPORT-kept", "warning", message, hint)
