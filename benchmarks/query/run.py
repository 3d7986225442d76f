"""Metadata of 100,000 images: read, checked, loaded and asked, in memory and on disk.

A thousand descriptions (the FIB-SEM example with 97 further images each) are written as YAML and
asked with every shipped query, as ``clemkit query NAME *.yaml [--store DIR]`` does. Seconds are CPU
seconds of all threads; memory is the peak of the process. Each run is a process of its own.

Run: ``python benchmarks/query/run.py [--images 100000] [--each 100] [--write]``
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1] / "examples" / "metadata" / "fib-sem-confocal.yaml"
MODES = ("memory", "disk", "disk, again")


def write_descriptions(folder: Path, images: int, each: int) -> Iterator[Path]:
    """Descriptions with *each* images: those of the example, and further FIB-SEM volumes."""
    text = EXAMPLE.read_text(encoding="utf-8")
    start = text.index("  - id: em-raw")
    one = text[start : text.index("  - id: em-aligned")]
    for number in range(images // each):
        more = "".join(one.replace("id: em-raw", f"id: em-{k}") for k in range(each - 3))
        content = text[:start] + more + text[start:]
        path = folder / f"{number:05}.yaml"
        path.write_text(content.replace("id: hela-mito-clem", f"id: clem-{number}", 1), "utf-8")
        yield path


def measured(paths: list[Path], store: Path | None) -> dict[str, object]:
    from clemkit.metadata.query import named_queries
    from clemkit.workflows.metadata import open_store

    clock = time.process_time
    before = clock()
    opened = open_store(paths, store)
    loaded = clock()
    answers = {}
    for name in named_queries():
        begun = clock()
        rows = len(opened.query(name).rows)
        answers[name] = (rows, clock() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "triples": len(opened),
        "load_s": loaded - before,
        "answers": answers,
        "peak_mib": peak / (1024 if sys.platform != "darwin" else 1 << 20),
    }


def table(results: dict[str, dict], images: int, each: int) -> Iterator[str]:
    yield f"# Metadata of {images:,} images: load and ask"
    yield ""
    yield f"`python benchmarks/query/run.py --images {images} --each {each} --write`"
    yield ""
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    yield (
        f"{date.today()}, Python {platform.python_version()}, {os.cpu_count()} processors{load}; "
        f"pyoxigraph {version('pyoxigraph')}, PyYAML {version('pyyaml')}."
    )
    yield ""
    yield (
        f"{images // each:,} descriptions (YAML) with {each} images each. CPU seconds of all "
        "threads, with reading, checking against the model and loading; `disk, again` finds "
        "nothing new in the store and only compares digests."
    )
    yield ""
    yield f"| | {' | '.join(results)} |"
    yield f"|---|{'---|' * len(results)}"
    rows = {
        "triples": lambda r: f"{r['triples']:,}",
        "read and load, CPU s": lambda r: f"{r['load_s']:.1f}",
        "peak memory, MiB": lambda r: f"{r['peak_mib']:.0f}",
        "slowest query, CPU s": lambda r: f"{max(s for _, s in r['answers'].values()):.1f}",
        "all queries, CPU s": lambda r: f"{sum(s for _, s in r['answers'].values()):.1f}",
    }
    for name, shown in rows.items():
        yield f"| {name} | {' | '.join(shown(r) for r in results.values())} |"
    yield ""
    yield f"| query | rows | {' | '.join(f'{m}, CPU s' for m in results)} |"
    yield f"|---|---|{'---|' * len(results)}"
    for name, (count, _) in results["memory"]["answers"].items():
        seconds = " | ".join(f"{r['answers'][name][1]:.2f}" for r in results.values())
        yield f"| {name} | {count:,} | {seconds} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--each", type=int, default=100, help="images in one description")
    parser.add_argument("--write", action="store_true", help="write the table to results/")
    parser.add_argument("--one", nargs=2, metavar=("FOLDER", "STORE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        paths = sorted(Path(options.one[0]).glob("*.yaml"))
        print(json.dumps(measured(paths, Path(options.one[1]) if options.one[1] else None)))
        return
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for _ in write_descriptions(folder / "in", options.images, options.each):
            pass
        for mode in MODES:
            store = "" if mode == "memory" else str(folder / "store")
            command = [sys.executable, __file__, "--one", str(folder / "in"), store]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            results[mode] = json.loads(done.stdout)
    text = "\n".join(table(results, options.images, options.each)) + "\n"
    print(text)
    if options.write:
        target = HERE / "results" / f"{date.today()}-{options.images}.md"
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
