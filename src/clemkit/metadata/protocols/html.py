"""A protocol as one HTML page for the bench: nothing is fetched, and it prints on paper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from clemkit.metadata.protocols.prose import methods_paragraph
from clemkit.metadata.protocols.step_table import (
    ReagentRow,
    StepRow,
    chosen_protocols,
    reagent_rows,
    step_rows,
)

__all__ = ["to_html"]

_STYLE = """
:root { color-scheme: light; --ink: #1a1f24; --soft: #5b6670; --line: #d5dbe0; --head: #f2f5f7;
  --critical: #b3261e; --pause: #1d5fa8; --optional: #5b6670; --warn: #8a5a00; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 74rem; padding: 2rem 1.5rem 3rem; color: var(--ink);
  font: 15px/1.45 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; background: #fff; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.1rem; margin: 1.8rem 0 .5rem; }
article + article { margin-top: 3rem; border-top: 2px solid var(--line); padding-top: 2rem; }
.about { color: var(--soft); margin: 0 0 .8rem; }
.about span + span::before { content: "\\00b7"; margin: 0 .5em; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .45rem .6rem; vertical-align: top; }
th { text-align: left; font-weight: 600; font-size: .82rem; color: var(--soft);
  background: var(--head); }
td > div + div { margin-top: .15rem; }
.number { font-variant-numeric: tabular-nums; font-weight: 600; white-space: nowrap; }
.number small { display: block; font-weight: 400; color: var(--soft); }
.done { width: 2rem; }
.box { display: inline-block; width: 1rem; height: 1rem; border: 1.5px solid var(--soft);
  border-radius: 2px; }
.short { white-space: nowrap; }
.materials { width: 22%; }
.details { width: 28%; }
.title { font-weight: 600; }
.flag { display: inline-block; font-size: .75rem; font-weight: 600; border: 1px solid;
  border-radius: 3px; padding: 0 .35em; margin: .15rem .3rem 0 0; white-space: nowrap; }
.critical { color: var(--critical); }
.pause { color: var(--pause); }
.optional { color: var(--optional); }
.soft, .note { color: var(--soft); font-weight: 400; }
.hazard { color: var(--warn); }
.unparsed td { background: #fafafa; }
.unparsed q { font-style: italic; overflow-wrap: anywhere; }
ul.safety { border-left: 4px solid var(--critical); background: #fdf4f3; margin: 0;
  padding: .7rem 1rem .7rem 2rem; }
.prose p { max-width: 52rem; }
footer { margin-top: 2.5rem; color: var(--soft); font-size: .82rem; }
@media (max-width: 46rem) { body { padding: 1rem .6rem; } .scroll { overflow-x: auto; } }
@media print {
  @page { margin: 14mm 12mm; }
  body { font-size: 9pt; max-width: none; padding: 0; }
  th, td { padding: .3rem .4rem; }
  thead { display: table-header-group; }
  tr, ul.safety { break-inside: avoid; }
  h2 { break-after: avoid; }
  article + article { break-before: page; border: 0; padding: 0; }
  th, .unparsed td, ul.safety { background: none; }
}
"""


def to_html(data: Mapping[str, Any], protocol_id: str | None = None) -> str:
    """Return protocols of a description as one HTML page.

    Parameters
    ----------
    data : mapping
        A description in long form.
    protocol_id : str, optional
        The protocol to show; all of them by default.

    Returns
    -------
    str
        A page with safety notes, reagents with hazards, a table of steps with boxes to tick, and
        the methods paragraph. Words that were not understood are shown as such.

    Raises
    ------
    ArgumentError
        If there is no such protocol.
    """
    chosen = chosen_protocols(data, protocol_id)
    title = _text(chosen[0].get("name") or chosen[0].get("id"))
    body = "\n".join(line for p in chosen for line in _protocol(p, data))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n"
        "<footer>Made by clemkit from a structured protocol. Hazards are reminders; the safety "
        "data sheet decides.</footer>\n</body>\n</html>\n"
    )


def _protocol(protocol: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[str]:
    yield f"<article>\n<h1>{_text(protocol.get('name') or protocol.get('id'))}</h1>"
    about = [
        ("version", protocol.get("protocol_version")),
        ("for", protocol.get("target_material")),
        ("doi", protocol.get("doi")),
        ("read from", protocol.get("source_file")),
    ]
    shown = "".join(f"<span>{word} {_text(value)}</span>" for word, value in about if value)
    if shown:
        yield f'<p class="about">{shown}</p>'
    if protocol.get("description"):
        yield f"<p>{_text(protocol['description'])}</p>"
    rows = list(step_rows(protocol, data))
    yield from _safety(protocol, rows)
    yield from _reagents(list(reagent_rows(protocol, data)))
    yield from _steps(rows)
    if prose := methods_paragraph(protocol, data):
        paragraphs = "".join(f"<p>{_text(p)}</p>" for p in prose.split("\n\n"))
        yield f'<section class="prose"><h2>For the paper</h2>{paragraphs}</section>'
    if references := list(protocol.get("references") or ()):
        items = "".join(f"<li>{_text(r)}</li>" for r in references)
        yield f"<section><h2>References</h2><ul>{items}</ul></section>"
    yield "</article>"


def _safety(protocol: Mapping[str, Any], rows: list[StepRow]) -> Iterator[str]:
    general = [str(protocol["safety"])] if protocol.get("safety") else []
    items = [_text(s) for s in general]
    items += [f"Step {_text(row.number)}: {_text(s)}" for row in rows for s in row.safety]
    if items:
        inside = "".join(f"<li>{item}</li>" for item in items)
        yield f'<section><h2>Safety</h2><ul class="safety">{inside}</ul></section>'


def _reagents(rows: list[ReagentRow]) -> Iterator[str]:
    if not rows:
        return
    yield '<section><h2>Reagents and solutions</h2><div class="scroll"><table><thead><tr>'
    heads = ["Name", "Made of", "Identity", "Source", "Hazards"]
    cells = [[r.name, r.made_of, ", ".join(r.identity), r.source, r.hazards] for r in rows]
    kept = [i for i in range(len(heads)) if i == 0 or any(c[i] for c in cells)]
    classes = ["title", "", "soft", "soft", "hazard"]
    yield "".join(f'<th scope="col">{heads[i]}</th>' for i in kept) + "</tr></thead><tbody>"
    for row, cell in zip(rows, cells, strict=True):
        line = "".join(f'<td class="{classes[i]}">{_text(cell[i])}</td>' for i in kept)
        if row.notes:  # below the name, where it is read
            line = line.replace("</td>", f'<div class="note">{_text(row.notes)}</div></td>', 1)
        yield f"<tr>{line}</tr>"
    yield "</tbody></table></div></section>"


def _steps(rows: list[StepRow]) -> Iterator[str]:
    yield '<section><h2>Steps</h2><div class="scroll"><table><thead><tr>'
    heads = (
        "No.",
        "Step",
        "Materials",
        "Time",
        "Temp.",
        "Times",
        "Details and notes",
        "Done",
    )
    yield "".join(f'<th scope="col">{h}</th>' for h in heads) + "</tr></thead><tbody>"
    for row in rows:
        label = f"<small>{_text(row.label)}</small>" if row.label else ""
        number = f'<td class="number">{_text(row.number)}{label}</td>'
        if row.unparsed:
            yield (
                f'<tr class="unparsed">{number}<td colspan="7"><span class="flag optional">'
                f"not understood</span> <q>{_text(row.unparsed)}</q>{_divided(row.notes, 'note')}"
                "</td></tr>"
            )
            continue
        flags = "".join(
            f'<span class="flag {flag.split()[0]}">{_text(flag)}</span>' for flag in row.flags
        )
        yield (
            f'<tr>{number}<td><div class="title">{_text(row.title)}</div>{flags}</td>'
            f'<td class="materials">{_divided(row.materials)}</td>'
            f'<td class="short">{_text(row.time)}</td><td>{_text(row.heat)}</td>'
            f'<td class="short">{_text(row.repeats)}</td>'
            f'<td class="details">{_divided(row.details)}{_divided(row.notes, "note")}</td>'
            '<td class="done"><span class="box"></span></td></tr>'
        )
    yield "</tbody></table></div></section>"


def _divided(lines: Iterable[str], name: str = "") -> str:
    kind = f' class="{name}"' if name else ""
    return "".join(f"<div{kind}>{_text(line)}</div>" for line in lines)


def _text(value: Any) -> str:
    return escape(str(value or ""), quote=True)
