"""What a description says beyond another one: a merge patch (RFC 7396), things by their id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clemkit.metadata.model_map import model_map

__all__ = ["difference", "patched"]


def difference(known: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what turns *known* into *data* with :func:`patched`; both are plain descriptions."""
    keyed = [s for s in _lists() if _has_ids(known.get(s, [])) and _has_ids(data.get(s, []))]
    return {
        "order": {s: [item["id"] for item in data[s]] for s in keyed if s in data},
        "patch": _patch(_by_id(known, keyed), _by_id(data, keyed)),
    }


def patched(known: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return *known* with a change of :func:`difference`; things that it never saw come last."""
    patch = change["patch"]
    keyed = [s for s in _lists() if isinstance(patch.get(s), dict) or s in change["order"]]
    both = _merged(_by_id(known, [s for s in keyed if _has_ids(known.get(s, []))]), patch)
    for slot in keyed:
        items = both.get(slot)
        if isinstance(items, dict):
            order = [n for n in change["order"].get(slot, ()) if n in items]
            names = [*order, *(n for n in items if n not in order)]
            both[slot] = [{"id": n, **items[n]} for n in names]
    return both


def _lists() -> list[str]:
    """Return the slots of the experiment that hold named things."""
    mapping = model_map()
    slots = mapping["slots"]
    return [
        name
        for name in mapping["classes"][mapping["root"]]["slots"]
        if slots[name]["kind"] == "class"
        and slots[name].get("multivalued")
        and mapping["classes"][slots[name]["range"]]["identifier"]
    ]


def _has_ids(items: Any) -> bool:
    names = [i.get("id") for i in items if isinstance(i, dict)] if isinstance(items, list) else [0]
    return all(isinstance(n, str) for n in names) and len(set(names)) == len(names)


def _by_id(data: Mapping[str, Any], slots: list[str]) -> dict[str, Any]:
    result = dict(data)
    for slot in slots:
        if slot in result:
            items = result[slot]
            result[slot] = {i["id"]: {k: v for k, v in i.items() if k != "id"} for i in items}
    return result


def _patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    change: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict):
            inner = _patch(old if isinstance(old, dict) else {}, value)
            if inner or not isinstance(old, dict):
                change[key] = inner
        elif key not in before or old != value or type(old) is not type(value):
            change[key] = value
    return change


def _merged(before: Any, change: Any) -> Any:
    if not isinstance(change, dict):
        return change
    result = dict(before) if isinstance(before, dict) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result
