"""Rows of the benchmark as tables (Markdown, CSV) and a plot."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["summarise", "write_results"]

Row = dict[str, Any]
GROUPS = {
    "LM–EM, mitochondria, simulator": ("simulated",),
    "LM–EM, mitochondria, phantoms": ("phantom",),
    "LM–EM, real mitochondria": ("hela",),
    "LM–EM, nuclei only": ("phantom-nuclei",),
    "X-ray CT–EM, simulator": ("simulated-ct",),
    "X-ray CT–EM, phantoms": ("phantom-xray",),
    "X-ray of a cortex with itself": ("xray-cortex",),
    "Tissues of a larva": ("platy-tissues",),
    "Nuclei and cells, confocal": ("nuclei3d", "ovule3d"),
}
LEVELS = ("easy", "medium", "hard")
REFUSED = ("failed", "error")
COLUMNS = (
    "case", "kind", "level", "seed", "flip", "method", "status", "median_um", "p95_um",
    "worst_um", "threshold_um", "confidence", "estimate_median_um", "estimate_low_um",
    "estimate_high_um", "reflection", "cpu_s", "wall_s", "peak_mb", "commit", "reason",
)  # fmt: skip
_HEAD = (
    "| method | given | n | median | p95 | worst | found | found < 0.3 µm | false success | "
    "refused | uncertain | confidence | interval holds | CPU s | peak MB |"
)


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Return the figures of one method on one group of cases.

    A case is found when its median error is below its threshold. A false success is a case that is
    not found but reported without doubt; a method that never judges itself never doubts.
    """
    placed = [r for r in rows if r.get("median_um") is not None]
    found = [r for r in placed if r["median_um"] < r["threshold_um"]]
    doubtless = [r for r in placed if r["status"] in ("ok", "none")]
    judged = [r for r in placed if r.get("estimate_low_um") is not None]
    holds = [r for r in judged if r["estimate_low_um"] <= r["median_um"] <= r["estimate_high_um"]]
    confident = [r["confidence"] for r in rows if r.get("confidence") is not None]
    return {
        "n": len(rows),
        "median": _over(np.median, placed, "median_um"),
        "p95": _over(np.median, placed, "p95_um"),
        "worst": _over(np.max, placed, "worst_um"),
        "found": len(found),
        "close": sum(r["median_um"] < 0.3 for r in placed),
        "false": sum(r["median_um"] >= r["threshold_um"] for r in doubtless),
        "refused": sum(r["status"] in REFUSED for r in rows),
        "uncertain": sum(r["status"] == "uncertain" for r in rows),
        "confidence": float(np.median(confident)) if confident else None,
        "judged": len(judged),
        "holds": len(holds),
        "cpu": _over(np.median, rows, "cpu_s"),
        "peak": _over(np.max, rows, "peak_mb"),
    }


def _over(function: Any, rows: Iterable[Row], key: str) -> float | None:
    values = [r[key] for r in rows if r.get(key) is not None]
    return float(function(values)) if values else None


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _method_line(method: str, given: str, s: dict[str, Any]) -> str:
    holds = f"{s['holds']}/{s['judged']}" if s["judged"] else "–"
    return (
        f"| {method} | {given} | {s['n']} | {_number(s['median'])} | {_number(s['p95'])} | "
        f"{_number(s['worst'], 2)} | {s['found']}/{s['n']} | {s['close']}/{s['n']} | "
        f"{s['false']} | {s['refused']} | {s['uncertain']} | {_number(s['confidence'], 2)} | "
        f"{holds} | {_number(s['cpu'], 0)} | {_number(s['peak'], 0)} |"
    )


def _ordered(values: Iterable[str], order: Iterable[str]) -> list[str]:
    present = set(values)
    return [v for v in order if v in present]


def _group_tables(rows: list[Row], given: dict[str, str]) -> list[str]:
    lines: list[str] = []
    for title, kinds in GROUPS.items():
        group = [r for r in rows if r["kind"] in kinds]
        for level in _ordered((r["level"] for r in group), LEVELS):
            part = [r for r in group if r["level"] == level]
            lines += ["", f"## {title}, {level}", "", _HEAD, "|" + "---|" * 15]
            for method in _ordered((r["method"] for r in part), given):
                mine = [r for r in part if r["method"] == method]
                lines.append(_method_line(method, given[method], summarise(mine)))
    return lines


def _paired(rows: list[Row]) -> list[str]:
    """Ratio of clemkit to the best elastix run that was given the true rotation, per case."""
    lines: list[str] = []
    peers = ("cosem-rotated", "elastix-mi", "elastix-ncc")
    for title, kinds in GROUPS.items():
        for level in LEVELS:
            median, p95, cpu = [], [], []
            part = [r for r in rows if r["kind"] in kinds and r["level"] == level]
            for case in sorted({r["case"] for r in part}):
                here = {r["method"]: r for r in part if r["case"] == case}
                mine = here.get("clemkit")
                best = [here[m] for m in peers if here.get(m, {}).get("median_um") is not None]
                if not best or mine is None:
                    continue
                top = min(best, key=lambda r: r["median_um"])
                own = mine.get("median_um")
                median.append(np.inf if own is None else own / top["median_um"])
                p95.append(np.inf if own is None else mine["p95_um"] / top["p95_um"])
                cpu.append(mine["cpu_s"] / top["cpu_s"])
            if median:
                lines.append(
                    f"| {title} | {level} | {len(median)} | {np.median(median):.2f} | "
                    f"{np.max(median):.2f} | {np.median(p95):.2f} | {np.median(cpu):.2f} |"
                )
    if not lines:
        return []
    head = "| cases | level | n | median ratio | worst ratio | median ratio of p95 | CPU ratio |"
    return [
        "", "## clemkit over the best elastix run of the same case", "",
        "elastix is given the true rotation, and the best of its runs is picked by the truth.",
        "", head, "|" + "---|" * 7, *lines,
    ]  # fmt: skip


def _negatives(rows: list[Row]) -> list[str]:
    part = [r for r in rows if r["kind"] == "negatives"]
    if not part:
        return []
    lines = [
        "", "## Pairs without a true match", "",
        "Right is a refusal or `uncertain`; `ok` is a false success.", "",
        "| level | pairs | n | failed | uncertain | ok | error | highest confidence |",
        "|" + "---|" * 8,
    ]  # fmt: skip
    for level in _ordered((r["level"] for r in part), LEVELS):
        for label, odd in (("unrelated", 0), ("field absent", 1)):
            mine = [r for r in part if r["level"] == level and r["seed"] % 2 == odd]
            if not mine:
                continue
            counts = [sum(r["status"] == s for r in mine) for s in
                      ("failed", "uncertain", "ok", "error")]  # fmt: skip
            top = _over(np.max, mine, "confidence")
            cells = " | ".join(map(str, counts))
            lines.append(f"| {level} | {label} | {len(mine)} | {cells} | {_number(top, 2)} |")
    return lines


def _coverage(rows: list[Row]) -> list[str]:
    summary = summarise([r for r in rows if r["method"] == "clemkit" and r["kind"] != "negatives"])
    if not summary["judged"]:
        return []
    share = summary["holds"] / summary["judged"]
    return [
        "",
        f"clemkit's 90 % interval holds the true median error in {summary['holds']} of "
        f"{summary['judged']} cases ({share:.0%}).",
    ]


def write_results(rows: list[Row], stem: Path, heading: dict[str, Any]) -> str:
    """Write ``stem`` with .md, .csv and .png; return the Markdown."""
    commits = sorted({r.get("commit", "") for r in rows})
    lines = [
        f"# Registration benchmark, {heading['date']}",
        "",
        f"Command: `{heading['command'].strip()}`; code: {', '.join(filter(None, commits))}.",
        "",
        "Errors in µm, moving frame, at points that no method saw. Median and p95 are medians over "
        "the cases' own; worst is the largest error of any point of any case; CPU is a median, "
        "memory a maximum. *Found*: the case's median error is below the axial PSF of light "
        "(0.82, 0.85 or 0.60 µm) or three X-ray voxels.",
        *_group_tables(rows, heading["given"]),
        *_paired(rows),
        *_negatives(rows),
        *_coverage(rows),
    ]
    text = "\n".join(lines) + "\n"
    stem.with_suffix(".md").write_text(text, encoding="utf-8")
    with stem.with_suffix(".csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda r: (r["kind"], r["level"], r["seed"])))
    _plot(rows, stem.with_suffix(".png"), list(heading["given"]))
    return text


def _plot(rows: list[Row], path: Path, order: list[str]) -> None:
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed (extra report)")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    titles = [t for t, kinds in GROUPS.items() if any(r["kind"] in kinds for r in rows)]
    if not titles:
        return
    levels = _ordered((r["level"] for r in rows), LEVELS)
    figure, axes = pyplot.subplots(
        len(titles), len(levels), figsize=(1 + 3.6 * len(levels), 3.2 * len(titles)),
        sharey="row", squeeze=False,
    )  # fmt: skip
    for line, title in zip(axes, titles, strict=True):
        for axis, level in zip(line, levels, strict=True):
            part = [r for r in rows if r["kind"] in GROUPS[title] and r["level"] == level]
            methods = _ordered((r["method"] for r in part), order)
            for i, method in enumerate(methods):
                every = [r for r in part if r["method"] == method]
                mine = [r for r in every if r.get("median_um") is not None]
                values = [r["median_um"] for r in mine]
                x = i + np.linspace(-0.2, 0.2, len(values) + 2)[1:-1]
                # hollow: the method itself doubts
                face = ["none" if r["status"] == "uncertain" else f"C{i}" for r in mine]
                axis.scatter(x, values, s=16, facecolors=face, edgecolors=f"C{i}")
                if values:
                    axis.hlines(np.median(values), i - 0.3, i + 0.3, color="black", linewidth=1)
                if len(mine) < len(every):
                    text = f"{len(every) - len(mine)} none"
                    axis.text(i, 0.98, text, transform=axis.get_xaxis_transform(),
                              ha="center", va="top", fontsize=6)  # fmt: skip
            for limit in sorted({r["threshold_um"] for r in part if "threshold_um" in r}):
                axis.axhline(limit, color="grey", linewidth=0.6, linestyle=":")
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter("")
            axis.set_xticks(range(len(methods)), methods, rotation=60, ha="right", fontsize=7)
            axis.set_title(f"{title}, {level}", fontsize=8)
        line[0].set_ylabel("median error (µm)")
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
