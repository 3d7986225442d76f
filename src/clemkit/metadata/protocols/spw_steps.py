"""One step of the widget to one step of the model, and back.

What the model has no slot for stays with the step as parameters: ``spw:<path>`` holds the value of
a field, ``spw:method`` the words of a method that is not one of the eleven, ``spw:older`` the
fields that today's form lacks, and ``spw:differences`` what else the document had otherwise than
today's form writes it: numbers as text, empty values, keys nobody knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from clemkit.metadata.protocols.spw_differences import Difference, differences, restored
from clemkit.metadata.protocols.spw_fields import UNREAD, Codec, FixedQuantity, Text, Written
from clemkit.metadata.protocols.spw_form import (
    CLASS_OF_METHOD,
    FORMS,
    METHOD_OF_CLASS,
    OTHER_FORM,
    Field,
    Rows,
)
from clemkit.metadata.protocols.spw_nearest import NEAREST, USES, prepared, unsaid_words

__all__ = ["PREFIX", "Remark", "read_step", "write_step"]

PREFIX = "spw:"
# about the source or the identity of something, not about what is done
_ABOUT = {"spans", "verbatim", "process_terms", "material", "solvent", "reagent_role", "type"}


@dataclass(frozen=True, slots=True)
class Remark:
    """What happened to one value on its way into the form."""

    rule: str
    slot: str
    words: str


@dataclass(slots=True)
class _Page:
    """A document being written, and what could not be."""

    older: frozenset[str]
    document: dict[str, Any] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)

    def put(self, path: Sequence[str], slot: str, written: Written) -> None:
        if written.value is not UNREAD:
            owner = self.document
            for key in path[:-1]:
                owner = owner.setdefault(key, {})
            owner[path[-1]] = written.value
        if written.lost:
            words = unsaid_words(slot, written.lost, {})
            self.remarks.append(Remark("spw-in-notes", slot, words))
        if written.converted:
            self.remarks.append(Remark("spw-converted", slot, written.converted))


def read_step(document: Any, position: int) -> tuple[dict[str, Any], list[Difference]]:
    """Return a step of the model, and what of the document only its differences hold.

    Parameters
    ----------
    document : object
        One item of ``data``, as parsed JSON.
    position : int
        Position of the step in the protocol, from 1.
    """
    if not isinstance(document, Mapping):
        text = json.dumps(document)
        step: dict[str, Any] = {"type": "UnparsedStep", "unparsed_text": text}
    else:
        step = _read_known(document)
    written, _ = _written(step, position, {}, {}, str)
    changes = differences(written, document)
    if changes:
        _add_parameter(step, "differences", changes)
    return step, changes


def write_step(
    step: Mapping[str, Any],
    position: int,
    names: Mapping[str, str],
    recipes: Mapping[str, Sequence[Mapping[str, Any]]] = MappingProxyType({}),
    spell: Callable[[str], str] = str,
) -> tuple[Any, list[Remark]]:
    """Return the widget's step of a step of the model.

    Parameters
    ----------
    step : mapping
        A step in long form.
    position : int
        Its position in the protocol, from 1.
    names : mapping of str to str
        Names of the materials and instruments that a step can refer to.
    recipes : mapping of str to sequence of mapping
        Components of the solutions that a step can refer to.
    spell : callable
        Gives the name that is written for the name of a material.

    Returns
    -------
    object
        The document; an object unless another thing was read.
    list of Remark
        ``spw-converted``, ``spw-named``, ``spw-in-notes``, ``spw-not-said``, ``spw-out-of-date``.
    """
    written, remarks = _written(step, position, names, recipes, spell)
    document, stale = restored(written, _own(step).get("differences", []))
    for change in stale:
        if change["at"] == ["ordernumber"]:
            continue  # steps were added or taken away: the position is the number
        where = "/".join(map(str, change["at"]))
        was = json.dumps(change.get("is"), ensure_ascii=False)
        remarks.append(Remark("spw-out-of-date", where, f"the document that was read had {was}"))
    return document, remarks


def _read_known(document: Mapping[str, Any]) -> dict[str, Any]:
    method = document.get("method")
    name = CLASS_OF_METHOD.get(method.casefold()) if isinstance(method, str) else None
    step: dict[str, Any] = {"type": name or "OtherStep"}
    number = document.get("ordernumber")
    if isinstance(number, int | float | str) and str(number).strip().isdecimal():
        step["step_label"] = str(number).strip()
    if name is None and (words := Text().read(method)) is not UNREAD:
        step["name"] = words
        _add_parameter(step, "method", method)
    older = list(dict.fromkeys(_read(document, FORMS.get(name or "", OTHER_FORM), step)))
    if older:
        _add_parameter(step, "older", older)
    if name == "Infiltration":
        step.update({"ladder": [_one_temperature(s) for s in step.pop("ladder", ())]})
        step = {k: v for k, v in step.items() if v != []}
    return step


def _read(
    document: Mapping[str, Any], table: Sequence[Field | Rows], into: dict[str, Any]
) -> Iterator[str]:
    """Fill *into*; yield the paths of older fields that were used."""
    for item in table:
        value = _at(document, item.path)
        if value is UNREAD:
            continue
        if isinstance(item, Rows):
            yield from _read_rows(value, item, into)
            continue
        found = item.codec.read(value)
        if found is UNREAD:
            continue
        if item.slot == "=":
            _add_parameter(into, "/".join(item.path), found, item.codec)
        elif item.slot not in into:
            into[item.slot] = found
            if item.older:
                yield "/".join(item.path)


def _read_rows(value: Any, item: Rows, into: dict[str, Any]) -> Iterator[str]:
    if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
        return
    rows: list[dict[str, Any]] = []
    for document in value:
        row: dict[str, Any] = {}
        for path in _read(document, item.fields, row):
            yield "/".join((*item.path, path))
        rows.append(row)
    if item.single and rows:
        into[item.single] = rows.pop(0)
        rows = [row | {"reagent_role": item.role} for row in rows]
    if rows:
        into.setdefault(item.slot, []).extend(rows)


def _written(
    step: Mapping[str, Any],
    position: int,
    names: Mapping[str, str],
    recipes: Mapping[str, Sequence[Mapping[str, Any]]],
    spell: Callable[[str], str],
) -> tuple[dict[str, Any], list[Remark]]:
    own = _own(step)
    name = step["type"] if step["type"] in FORMS else NEAREST.get(step["type"], "Incubation")
    table = FORMS[name] if step["type"] in FORMS or "method" not in own else OTHER_FORM
    page = _Page(frozenset(own.get("older", ())))
    ready = prepared(step, name, names, page.older, recipes)
    page.remarks += _respelt(ready, spell)
    said = _write(ready, table, page)
    _write_parameters(step, table, page)
    said |= {"notes"} | ({"name"} if "method" in own else set())
    said |= {"step_label"} if str(step.get("step_label", "1")).isdecimal() else set()
    lines = [r.words for r in page.remarks if r.rule == "spw-in-notes"]
    if step["type"] not in FORMS and "method" not in own:
        words = unsaid_words("type", step["type"], names)
        lines.insert(0, words)
        page.remarks.append(Remark("spw-in-notes", "type", words))
    for slot, value in ready.items():
        if slot in said or slot in _ABOUT or (slot == "parameters" and not _others(step)):
            continue
        words = unsaid_words(slot, _others(step) if slot == "parameters" else value, names)
        lines.append(words)
        if slot != "description":  # prose among prose: nothing is lost by the move
            page.remarks.append(Remark("spw-in-notes", slot, words))
    lines = list(dict.fromkeys(line for line in lines if line))
    notes = "\n".join(([str(step["notes"])] if step.get("notes") else []) + lines)
    if notes:
        page.document["notes"] = notes
    kept = {s for s, _ in _slots(step) if s in _ABOUT - {"type", "material", "solvent"}}
    roles = {value for slot, value in _slots(step) if slot == "reagent_role"}
    if name == "HighPressureFreezing" and roles <= {"filler", "coating"}:
        kept -= {"reagent_role"}  # its form has a list for each of the two
    if kept:
        page.remarks.append(Remark("spw-not-said", "", ", ".join(sorted(kept))))
    page.document["ordernumber"] = position
    page.document["method"] = own.get("method", METHOD_OF_CLASS[name])
    return page.document, page.remarks


def _respelt(step: dict[str, Any], spell: Callable[[str], str]) -> Iterator[Remark]:
    """Give the materials of a step that is being written the names of the form."""
    for slot in USES:
        found = step.get(slot, ())
        for use in [found] if isinstance(found, dict) else found:
            for key in ("material_name", "solvent_name"):
                name = use.get(key)
                if name and (other := spell(name)) != name:
                    use[key] = other
                    if name.casefold() != other.casefold():
                        yield Remark("spw-named", slot, f"{name} as {other}")


def _write(step: Mapping[str, Any], table: Sequence[Field | Rows], page: _Page) -> set[str]:
    """Write the fields of one record onto *page*; return the slots that it has a place for."""
    moved = {f.slot for f in table if isinstance(f, Field) and _is_older(f, page)}
    said: set[str] = set()
    for item in table:
        if isinstance(item, Rows):
            said |= _write_rows(step, item, page)
        elif item.slot != "=" and (_is_older(item, page) or _is_current(item, moved)):
            said.add(item.slot)
            if item.slot in step:
                page.put(item.path, item.slot, item.codec.write(step[item.slot]))
    return said


def _write_rows(step: Mapping[str, Any], item: Rows, page: _Page) -> set[str]:
    rows = list(step.get(item.slot, ()))
    if item.single:
        rows = [row for row in rows if row.get("reagent_role") == item.role]
        rows = [step[item.single], *rows] if item.single in step else rows
    prefix = "/".join(item.path) + "/"
    older = frozenset(p.removeprefix(prefix) for p in page.older if p.startswith(prefix))
    documents = []
    for row in rows:
        sheet = _Page(older)
        said = _write(row, item.fields, sheet)
        rest = {k: v for k, v in row.items() if k not in said and k not in _ABOUT}
        for slot, value in rest.items():
            sheet.remarks.append(Remark("spw-in-notes", slot, unsaid_words(slot, value, {})))
        documents.append(sheet.document)
        place = f"row {len(documents)} of {item.path[0]}"
        for remark in sheet.remarks:
            slot = f"{item.slot}/{remark.slot}"
            words = remark.words if remark.rule != "spw-in-notes" else f"{place}: {remark.words}"
            page.remarks.append(Remark(remark.rule, slot, words))
    if documents:
        page.document[item.path[0]] = documents
    return {item.slot} | ({item.single} if item.single else set())


def _write_parameters(step: Mapping[str, Any], table: Sequence[Field | Rows], page: _Page) -> None:
    codecs = {"/".join(f.path): f for f in table if isinstance(f, Field) and f.slot == "="}
    for parameter in step.get("parameters", ()):
        path = str(parameter["parameter_name"]).removeprefix(PREFIX)
        if path in codecs and parameter["parameter_name"].startswith(PREFIX):
            quantity = parameter.get("parameter_quantity")
            value = quantity or json.loads(parameter.get("parameter_json", "null"))
            page.put(codecs[path].path, path, codecs[path].codec.write(value))


def _is_older(item: Field, page: _Page) -> bool:
    return item.older and "/".join(item.path) in page.older


def _is_current(item: Field, moved: set[str]) -> bool:
    return not item.older and item.slot not in moved


def _one_temperature(stage: dict[str, Any]) -> dict[str, Any]:
    ends = [stage.get(k) for k in ("start_temperature", "end_temperature")]
    if ends[0] is None or ends[0] != ends[1]:
        return stage
    rest = {k: v for k, v in stage.items() if k not in ("start_temperature", "end_temperature")}
    return rest | {"temperature": ends[0]}


def _at(document: Mapping[str, Any], path: Sequence[str]) -> Any:
    found: Any = document
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            return UNREAD
        found = found[key]
    return found


def _add_parameter(step: dict[str, Any], name: str, value: Any, codec: Codec | None = None) -> None:
    content: dict[str, Any]
    if isinstance(codec, FixedQuantity):
        content = {"parameter_quantity": value}
    else:
        content = {"parameter_json": json.dumps(value, sort_keys=True)}
    step.setdefault("parameters", []).append({"parameter_name": f"{PREFIX}{name}"} | content)


def _own(step: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a step keeps about its document: ``differences``, ``method``, ``older``."""
    return {
        p["parameter_name"].removeprefix(PREFIX): json.loads(p["parameter_json"])
        for p in step.get("parameters", ())
        if p["parameter_name"].startswith(PREFIX) and "parameter_json" in p
    }


def _others(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [p for p in step.get("parameters", ()) if not p["parameter_name"].startswith(PREFIX)]


def _slots(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key, None if isinstance(item, Mapping | list) else item
            yield from _slots(item)
    elif isinstance(value, list):
        for item in value:
            yield from _slots(item)
