"""Source spans in the model's plain form."""

from __future__ import annotations

from typing import Any

__all__ = ["span"]


def span(
    text: str, start: int, end: int, rule: str, confidence: float, *, field: str | None = None,
    interpreted: bool = False, source: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return the span of ``text[start:end]``; *field* was read there, none for the whole."""
    given: dict[str, Any] = {
        "span_source": source,
        "span_start": start,
        "span_end": end,
        "verbatim": text[start:end],
        "span_field": field,
        "rule_name": rule,
        "confidence": round(confidence, 3),
        "is_interpretation": True if interpreted else None,
    }
    return {k: v for k, v in given.items() if v is not None}
