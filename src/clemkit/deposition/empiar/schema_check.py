"""The official schema of EMPIAR, run on a document, and its errors in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from clemkit.errors import MissingExtraError, Problem

__all__ = ["SCHEMA_VERSION", "official_schema", "schema_problems"]

SCHEMA_VERSION: Final = "2023-08-16"
_PATH: Final = Path(__file__).parent / "schema" / f"empiar_deposition.schema.{SCHEMA_VERSION}.json"


@cache
def official_schema() -> Mapping[str, Any]:
    """Return EMPIAR's own schema, as published."""
    content: dict[str, Any] = json.loads(_PATH.read_text(encoding="utf-8"))
    return content


@cache
def _validator() -> Any:
    try:
        from jsonschema import Draft7Validator
    except ImportError as error:
        raise MissingExtraError("jsonschema", "metadata") from error
    return Draft7Validator(official_schema())


def schema_problems(document: Any) -> Iterator[Problem]:
    """Yield what the official schema rejects.

    Parameters
    ----------
    document : object
        A deposition document.

    Raises
    ------
    MissingExtraError
        ``jsonschema`` is not installed.
    """
    errors = _validator().iter_errors(document)
    for error in sorted(errors, key=lambda e: [str(p) for p in e.absolute_path]):
        place = tuple(error.absolute_path)
        if error.validator == "required":
            for name in error.validator_value:
                if name not in error.instance and f"'{name}'" in error.message:
                    message = f"expected {name}, which EMPIAR requires; found none"
                    yield _problem((*place, name), message)
        else:
            yield _problem(place, _message(error))


def _problem(place: tuple[str | int, ...], message: str) -> Problem:
    hint = f"EMPIAR's schema of {SCHEMA_VERSION} rejects the document"
    return Problem(place, "empiar-schema", "error", message, hint)


def _message(error: Any) -> str:
    found = json.dumps(error.instance, ensure_ascii=False, default=str)
    found = found if len(found) <= 60 else found[:57] + "..."
    wanted = error.validator_value
    words = {
        "type": "a value of type {}",
        "pattern": "the form {}",
        "enum": "one of {}",
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
        "minItems": "at least {} items",
        "minimum": "at least {}",
        "maximum": "at most {}",
    }
    if isinstance(wanted, list):
        wanted = ", ".join(str(w) for w in wanted[:12]) + (", …" if len(wanted) > 12 else "")
    form = words.get(str(error.validator), f"{error.validator} {{}}")
    return f"expected {form.format(wanted)}; found {found}"
