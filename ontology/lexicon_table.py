"""Read and check the tables of ``ontology/lexicon/``: the names that protocols use for materials.

:func:`lexicon` returns what ``generate.py`` writes to ``lexicon.json``; :func:`local_terms` what it
adds to ``proposed-terms.tsv``. A wrong identifier, label, role or unit, or a name with two
meanings, ends the run.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["lexicon", "local_terms"]

TABLES = Path(__file__).resolve().parent / "lexicon"
_LISTS = ("broader", "names", "abbreviations", "not_before", "not_after")
_MATCHES = ("exact", "close", "broad", "local")
_QUANTITY = re.compile(r"([0-9.]+) (.+)")


def _rows(name: str) -> list[dict[str, Any]]:
    """Return a table; empty cells are left out, lists are split at ``|``."""
    with (TABLES / f"{name}.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        if None in row or None in row.values():
            raise SystemExit(f"lexicon/{name}.tsv: wrong number of cells in {list(row.values())}")
    return [
        {k: v.split("|") if k in _LISTS else v for k, v in row.items() if v and v.strip()}
        for row in rows
    ]


def lexicon(mapping: Mapping[str, Any], pinned: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the tables as plain data, checked against the model and the pinned terms."""
    tables = {
        name: _rows(name)
        for name in (
            "materials", "solutions", "components", "ambiguous", "guards",
            "instruments", "processes", "states",
        )
    }  # fmt: skip
    roles = mapping["enums"]["ReagentRole"]["values"]
    known = {r["name"] for table in ("materials", "solutions") for r in tables[table]}
    for table in ("materials", "solutions", "instruments", "processes", "states"):
        for row in tables[table]:
            _check_term(f"lexicon/{table}.tsv: {row.get('name', row.get('value'))}", row, pinned)
    for table in ("materials", "solutions", "components"):
        for row in tables[table]:
            if row.get("role") not in roles:
                raise SystemExit(f"lexicon/{table}.tsv: role {row.get('role')!r} in {row}")
    for row in tables["solutions"]:
        row["varies"] = row["varies"] == "yes"
        if "ph" in row:
            row["ph"] = float(row["ph"])
        row["components"] = [
            {k: v for k, v in _component(c, mapping).items() if k != "solution"}
            for c in tables["components"]
            if c["solution"] == row["name"]
        ]
    for row in tables.pop("components"):
        if not {row["solution"], row["component"]} <= known:
            raise SystemExit(f"lexicon/components.tsv: not in the tables: {row}")
    for row in tables["ambiguous"]:
        row["candidates"] = list(_candidates(row.get("candidates", "")))
        names = {c["name"] for c in row["candidates"]} | {row.get("preferred")} - {None}
        if not names <= known:
            raise SystemExit(f"lexicon/ambiguous.tsv: {row['form']}: unknown {names - known}")
    for row in tables["instruments"]:
        if row["kind"] not in mapping["enums"]["InstrumentKind"]["values"]:
            raise SystemExit(f"lexicon/instruments.tsv: kind {row['kind']!r}")
    for row in tables["processes"]:
        if "ProtocolStep" not in mapping["classes"].get(row["step"], {}).get("ancestors", ()):
            raise SystemExit(f"lexicon/processes.tsv: step {row['step']!r}")
    for row in tables["states"]:
        if row["value"] not in mapping["enums"]["SpecimenState"]["values"]:
            raise SystemExit(f"lexicon/states.tsv: value {row['value']!r}")
    _check_names([*tables["materials"], *tables["solutions"]], tables["ambiguous"])
    _check_names(tables["instruments"], [])
    _check_names(tables["processes"], [])
    return {"header": mapping["header"], **tables}


def _check_term(
    where: str, row: Mapping[str, Any], pinned: Mapping[str, Mapping[str, str]]
) -> None:
    if row["match"] not in _MATCHES:
        raise SystemExit(f"{where}: match {row['match']!r}")
    for curie in (row["term"], *row.get("broader", ())):
        if curie.startswith("clemkit:"):
            continue
        if curie not in pinned or pinned[curie].get("status") == "obsolete":
            raise SystemExit(f"{where}: {curie} is not pinned in terms.tsv")
    local = row["term"].startswith("clemkit:")
    if local != (row["match"] == "local"):
        raise SystemExit(f"{where}: {row['match']} and {row['term']} disagree")
    if not local and pinned[row["term"]]["label"] != row["term_label"]:
        raise SystemExit(f"{where}: label {row['term_label']!r} is not that of {row['term']}")


def _component(row: Mapping[str, str], mapping: Mapping[str, Any]) -> dict[str, Any]:
    units = mapping["enums"]["Unit"]["values"]
    spelt = {s: unit for unit, e in units.items() for s in (unit, *e.get("aliases", ()))}
    entry: dict[str, Any] = dict(row)
    for key in ("concentration", "amount"):
        if key in entry:
            found = _QUANTITY.fullmatch(entry[key])
            if not found or found[2] not in spelt:
                raise SystemExit(f"lexicon/components.tsv: {entry[key]!r} is no quantity")
            entry[key] = {"value": float(found[1]), "unit": spelt[found[2]], "verbatim": found[0]}
    return entry


def _candidates(text: str) -> Iterator[dict[str, Any]]:
    for part in filter(None, (p.strip() for p in text.split(";"))):
        name, _, cues = part.partition(":")
        yield {"name": name.strip(), "cues": [c.strip() for c in cues.split(",") if c.strip()]}


def _check_names(rows: list[dict[str, Any]], ambiguous: list[dict[str, Any]]) -> None:
    """End the run when a name stands for two things and is not listed as ambiguous."""
    owner: dict[str, str] = {row["form"]: "ambiguous.tsv" for row in ambiguous}
    for row in rows:
        for name in {row["name"], *row.get("names", ()), *row.get("abbreviations", ())}:
            key = name.lstrip("~")
            if (other := owner.setdefault(key, row["name"])) != row["name"]:
                raise SystemExit(f"lexicon: {key!r} is {other!r} and {row['name']!r}")


def local_terms(tables: Mapping[str, Any], taken: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Yield curie, label, definition, broader, close match and target of each local term.

    ``taken`` maps the terms that the model itself defines to their names; they are not repeated.
    """
    seen: dict[str, str] = {}
    targets = {
        "materials": "ChEBI or MeSH",
        "solutions": "ChEBI or MeSH",
        "processes": "OBI or CHMO",
    }
    for table, target in targets.items():
        for row in tables[table]:
            if row["match"] != "local" or row["term"] in taken:
                if row["match"] == "local" and table != "processes":
                    raise SystemExit(f"lexicon/{table}.tsv: {row['term']} is {taken[row['term']]}")
                continue
            if row["term"] in seen:
                raise SystemExit(f"lexicon/{table}.tsv: {row['term']} twice")
            seen[row["term"]] = row["name"]
            definition = row.get("note") or f"Process of specimen preparation: {row['name']}."
            if table != "processes" and "note" not in row:
                raise SystemExit(f"lexicon/{table}.tsv: {row['name']} needs a note that defines it")
            broader = "|".join(row.get("broader", ()))
            yield row["term"], row["name"], definition, broader, "", target
