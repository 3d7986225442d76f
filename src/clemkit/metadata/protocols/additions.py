"""What a protocol that was read adds to a description, and the text with it put in.

The text is only added to, never dumped anew: comments and the order of a person's file stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from clemkit.errors import ArgumentError
from clemkit.metadata.load import read_text
from clemkit.metadata.model_map import model_map
from clemkit.metadata.shorthand import concrete_class, shortened

__all__ = ["additions", "inserted"]

Addition = Mapping[str, Sequence[Mapping[str, Any]]]
_SLOTS: Final = ("agents", "instruments", "reagents", "protocols")


def additions(target: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return what *source* adds to *target*, list by list.

    A reagent or an instrument that *target* has under the same term, or under the same name where
    neither has a term, is not added again: the protocol refers to the one that is there. An id
    that is taken by another thing gets a number.

    Parameters
    ----------
    target, source : mapping
        Descriptions in long form.
    """
    taken = {i for i in _ids(target) if i}
    renames: dict[str, str] = {}
    chosen: dict[str, list[Any]] = {}
    for slot in _SLOTS:
        there = target.get(slot, ())
        for item in source.get(slot, ()):
            same = next((t for t in there if slot != "protocols" and _alike(t, item)), None)
            if same is not None:
                renames[item["id"]] = same["id"]
                continue
            made, number = item["id"], 2
            while made in taken:
                made, number = f"{item['id']}-{number}", number + 1
            taken.add(made)
            renames[item["id"]] = made
            chosen.setdefault(slot, []).append(item)
    root = model_map()["root"]
    found: dict[str, list[Any]] = _renamed(chosen, root, renames)
    return found


def inserted(text: str, added: Addition, path: Path | None = None) -> str:
    """Return a YAML description with items added at the end of its lists.

    Raises
    ------
    ArgumentError
        The file is written in a way that cannot be added to as text: JSON, or a list in brackets.
    """
    before = read_text(text, path).data
    windows = "\r\n" in text
    text = text.replace("\r\n", "\n")
    for slot, items in added.items():
        text = _with_items(text, slot, items, path)
    text = text.replace("\n", "\r\n") if windows else text
    after = read_text(text, path).data
    expected = dict(before) | {k: [*(before.get(k) or ()), *v] for k, v in added.items()}
    if after != expected:  # whatever the cause, a file that says something else is not handed out
        raise ArgumentError(
            f"{path or 'description'}: expected to add {', '.join(added)} at the end of their "
            "lists; the result would say something else; write to a new file instead"
        )
    return text


def _with_items(text: str, slot: str, items: Sequence[Any], path: Path | None) -> str:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = {k.value: (k, v) for k, v in node.value}
    shown = path or "description"
    if node.flow_style:
        raise ArgumentError(f"{shown}: expected YAML; found JSON, which is not added to as text")
    if slot not in pairs:
        return f"{text.rstrip()}\n{slot}:\n{_dumped(slot, items, 2)}"
    key, value = pairs[slot]
    if not isinstance(value, yaml.SequenceNode) or value.flow_style or not value.value:
        raise ArgumentError(
            f"{shown}:{key.start_mark.line + 1}: expected {slot} as a list with one item a line; "
            "found another form; write it so, or write to a new file"
        )
    lines = text.splitlines(keepends=True)
    last = value.value[-1].end_mark
    end = last.line + (1 if last.column > 0 else 0)
    while end > 0 and not lines[end - 1].split("#")[0].strip():
        end -= 1  # comments and empty lines before the next key belong to it
    if lines and not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    lines.insert(end, _dumped(slot, items, value.start_mark.column))
    return "".join(lines)


def _dumped(slot: str, items: Sequence[Any], indent: int) -> str:
    short = shortened({slot: list(items)})[slot]
    dumped = yaml.safe_dump(short, sort_keys=False, allow_unicode=True, width=100)
    return "".join(
        " " * indent + line if line.strip() else line for line in dumped.splitlines(keepends=True)
    )


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if one.get("type") != other.get("type") or one.get("components") != other.get("components"):
        return False
    slot = "substance_term" if "substance_term" in {*one, *other} else "instrument_term"
    terms = [(item.get(slot) or {}).get("term") for item in (one, other)]
    if any(terms):
        return bool(terms[0] == terms[1])
    names = [str(item.get("name") or "").casefold() for item in (one, other)]
    return bool(names[0]) and names[0] == names[1]


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("id"), str):
            yield value["id"]
        for item in value.values():
            yield from _ids(item)
    elif isinstance(value, list):
        for item in value:
            yield from _ids(item)


def _renamed(value: Any, declared: str, renames: Mapping[str, str]) -> Any:
    """Return an object with its own id and its references renamed."""
    if not isinstance(value, Mapping):
        return value
    name = concrete_class(declared, value) or declared
    slots = model_map()["slots"]
    made: dict[str, Any] = {}
    for key, item in value.items():
        slot = slots[key]
        if key == model_map()["classes"][name]["identifier"]:
            made[key] = renames.get(item, item)
        elif slot["kind"] == "class" and slot["inlined"]:
            many = isinstance(item, list)
            parts = [_renamed(i, slot["range"], renames) for i in (item if many else [item])]
            made[key] = parts if many else parts[0]
        elif slot["kind"] == "class":
            many = isinstance(item, list)
            names = [renames.get(i, i) for i in (item if many else [item])]
            made[key] = names if many else names[0]
        else:
            made[key] = item
    return made
