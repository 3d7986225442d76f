"""Clock the warp against scipy, SimpleITK and ngff-zarr in one run.

Each method runs in its own process after a small warm-up (compilation is not counted). CPU
seconds are those of all its threads, reading, decoding, planning, encoding and writing included.

    python benchmarks/warping/run.py [--size 512] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Run all methods and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="edge in voxels (512 or 1024)")
    parser.add_argument("--write", action="store_true", help="keep the table in results/")
    parser.add_argument("--only", help="method names, separated by ;")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(_measure(options.one, Path(options.folder), options.size)))
        return
    sys.path.insert(0, str(HERE))
    from methods import METHODS, make_case, write_input

    names = options.only.split(";") if options.only else list(METHODS)
    with tempfile.TemporaryDirectory(prefix="clemkit-bench-") as folder:
        write_input(make_case(Path(folder), options.size))
        results = {name: _spawn(name, folder, options.size) for name in names}
    table = _table(results, options.size)
    print(table)
    if options.write:
        stamp = datetime.now(UTC)
        path = HERE / "results" / f"{stamp:%Y-%m-%d}-{options.size}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(_heading(stamp, options.size) + table, encoding="utf-8")


def _spawn(name: str, folder: str, size: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", name, "--folder", folder, "--size", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _measure(name: str, folder: Path, size: int) -> dict[str, float]:
    sys.path.insert(0, str(HERE))
    from methods import METHODS, central_difference, make_case, write_input

    method = METHODS[name]
    with tempfile.TemporaryDirectory(prefix="clemkit-warm-") as small:
        warm = make_case(Path(small), 128)
        write_input(warm)
        method(warm)
    case = make_case(folder, size)
    before = _resident()
    peak = [before]
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(peak, stop), daemon=True)
    watcher.start()
    wall, cpu = time.perf_counter(), time.process_time()
    voxels = method(case)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    stop.set()
    watcher.join()
    written = case.output
    if not written.exists():
        written = case.output.with_suffix(".ome.zarr") / "0"
    mean, largest = central_difference(case, written)
    shutil.rmtree(case.output, ignore_errors=True)
    return {
        "mean": mean,
        "largest": largest,
        "voxels": voxels,
        "cpu": cpu,
        "wall": wall,
        "peak_mib": peak[0] / 2**20,
        "added_mib": (peak[0] - before) / 2**20,
    }


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize()
    except OSError:  # no /proc: the process's own peak
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _watch(peak: list[int], stop: threading.Event) -> None:
    while not stop.wait(0.02):
        peak[0] = max(peak[0], _resident())


def _table(results: dict[str, dict[str, float]], size: int) -> str:
    base = results.get("scipy map_coordinates")
    rate = base["voxels"] / base["cpu"] if base else float("nan")
    rows = [
        "| method | Mvoxel | CPU s | Mvoxel per CPU s | ratio to scipy | peak MiB | of it added "
        "| mean difference | largest |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, r in results.items():
        own = r["voxels"] / r["cpu"]
        rows.append(
            f"| {name} | {r['voxels'] / 1e6:.0f} | {r['cpu']:.1f} | {own / 1e6:.1f} "
            f"| {own / rate:.2f} | {r['peak_mib']:.0f} | {r['added_mib']:.0f} "
            f"| {r['mean']:.3f} | {r['largest']:.2f} |"
        )
    return "\n".join(rows) + "\n"


def _heading(stamp: datetime, size: int) -> str:
    packages = []
    for name in ("numpy", "numba", "zarr", "scipy", "SimpleITK", "ngff-zarr"):
        try:
            packages.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            packages.append(f"{name} absent")
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"# Warp of {size}³ uint8, chunks 128³, affine + 33³ displacement grid, linear\n\n"
        f"`python benchmarks/warping/run.py --size {size} --write`\n\n"
        f"{stamp:%Y-%m-%d}, Python {sys.version.split()[0]}, {os.cpu_count()} processors, "
        f"load {load} at the end; {', '.join(packages)}.\n\n"
        "CPU seconds of all threads, with reading, planning and writing; compilation left out. "
        "ngff-zarr runs on the central 256³. Differences are grey levels against scipy in floating "
        "point, in the central 64³: rounding alone gives 0.25 and 0.5, truncation 0.5 and 1.\n\n"
    )


if __name__ == "__main__":
    main()
