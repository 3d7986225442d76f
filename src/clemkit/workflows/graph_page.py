"""``graph.html``: the graph of registrations as one page of tables, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from clemkit.evaluation.wording import format_length
from clemkit.workflows.run_state import write_whole

__all__ = ["write_graph_page"]

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;"
    "border-bottom:1px solid #8884;vertical-align:top}.bad{color:#b00020;font-weight:600}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#eee}.bad{color:#ff8a80}"
    "a{color:#8ab4f8}}"
)


def write_graph_page(record: Mapping[str, Any], path: Path) -> None:
    """Write a page of the content of ``graph.json``."""
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>Registrations of {escape(record['description'])}</title><style>{_STYLE}</style>",
        f"<h1>Registrations of {escape(record['description'])}</h1>",
    ]
    if record["findings"]:
        parts.append("<h2>Findings</h2><ul>")
        parts += [f"<li class='bad'>{escape(text)}</li>" for text in record["findings"]]
        parts.append("</ul>")
    parts.append("<h2>Registrations</h2>")
    parts.append(_table(("name", "fixed", "moving", "result", "error, 90 % interval"),
                        [_edge(edge) for edge in record["edges"]]))  # fmt: skip
    parts.append("<h2>Any image on any other</h2><p>Errors of several registrations are combined "
                 "from those of each: squares are added, at the local scale of the way that "
                 "remains.</p>")  # fmt: skip
    parts.append(_table(("fixed", "moving", "way", "result", "expected error, 90 % interval"),
                        [_pair(pair) for pair in record["pairs"]]))  # fmt: skip
    for apart in record["unreachable"]:
        reason = ", ".join(apart["because"]) or "no registration is described"
        parts.append(f"<p class='bad'>{escape(' and '.join(apart['images']))} are not joined: "
                     f"{escape(reason)}</p>")  # fmt: skip
    parts.append("<h2>Loops</h2>")
    if record["loop_closures"]:
        parts.append(
            "<p>Each loop leads back to where it starts if its registrations are right. "
            "The residual is compared with what their stated errors predict.</p>"
        )
        parts.append(_table(("way", "median", "95 %", "largest", "expected", "limit", ""),
                            [_loop(loop) for loop in record["loop_closures"]]))  # fmt: skip
    else:
        parts.append("<p>None: no registration can be checked by others.</p>")
    write_whole(path, "\n".join(parts).encode() + b"\n")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(text)}</th>" for text in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _edge(edge: Mapping[str, Any]) -> list[str]:
    name = escape(edge["name"])
    if edge.get("folder"):
        name = f"<a href='{escape(edge['folder'])}/report.html'>{name}</a>"
    return [name, escape(edge["fixed"]), escape(edge["moving"]), _status(edge["status"]),
            _error(edge.get("error_nm") or {})]  # fmt: skip


def _pair(pair: Mapping[str, Any]) -> list[str]:
    return [escape(pair["fixed"]), escape(pair["moving"]), escape(" – ".join(pair["path"])),
            _status(pair["status"]), _error(pair["error_nm"])]  # fmt: skip


def _loop(loop: Mapping[str, Any]) -> list[str]:
    figures = (loop["median_nm"], loop["p95_nm"], loop["max_nm"],
               loop["expected"]["median_nm"], loop["limit_nm"])  # fmt: skip
    verdict = "<span class='bad'>open</span>" if loop["is_open"] else "closes"
    return [escape(" – ".join(loop["spaces"])), *(_length(x) for x in figures),
            verdict if loop["samples"] else "not checked"]  # fmt: skip


def _status(status: str) -> str:
    return status if status == "ok" else f"<span class='bad'>{escape(status)}</span>"


def _error(error: Mapping[str, Any]) -> str:
    if error.get("median") is None:
        return "–"
    return f"{_length(error['median'])} ({_length(error['low'])} to {_length(error['high'])})"


def _length(value: float | None) -> str:
    return "–" if value is None else escape(format_length(value))
