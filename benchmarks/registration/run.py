"""One benchmark of registrations: clemkit and its peers on the same cases.

    python benchmarks/registration/run.py [--quick] [--kinds ...] [--levels ...] [--seeds N]
                                          [--methods ...] [--jobs 2] [--output DIR] [--fresh]

Every case and method has its own process, so CPU seconds and peak memory are its own. Rows are
appended to ``rows-<plan>.jsonl`` and not run again; then tables (Markdown, CSV) and a plot are made
from all rows of the plan. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
LEVELS = ("easy", "medium", "hard")
# cases a level and first seed; phantoms take another family of truth fields with each seed
SHARES = {
    "simulated": (10, 2001),
    "phantom": (3, 2001),
    "phantom-nuclei": (1, 104),
    "hela": (1, 101),
    "phantom-xray": (3, 2001),
    "simulated-ct": (4, 2001),
    "xray-cortex": (3, 101),
    "platy-tissues": (3, 101),
    "nuclei3d": (3, 101),
    "ovule3d": (3, 101),
}
NEGATIVES = 7
EXTERNAL = (  # need the folder of shared tools and data
    "simulated", "simulated-ct", "hela", "xray-cortex", "platy-tissues", "nuclei3d", "ovule3d",
)  # fmt: skip
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    ),
    "1",
)
TIME_LIMIT_S = 900
_WRITE = threading.Lock()


def main() -> None:
    """Plan, run what is not yet there, and write the tables."""
    from peers import METHODS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="ten minutes instead of an hour")
    parser.add_argument("--kinds", nargs="+", choices=[*SHARES, "negatives"])
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=list(LEVELS))
    parser.add_argument("--seeds", type=int, help="cases of each kind and level")
    parser.add_argument("--first-seed", type=int, help="instead of the kind's own")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--output", type=Path, default=HERE / "results")
    parser.add_argument("--fresh", action="store_true", help="forget earlier rows of this plan")
    parser.add_argument("--prepare", help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        _prepare(options.prepare)
        return
    if options.one:
        print(json.dumps(measure(Path(options.one[0]), options.one[1])))
        return
    methods = usable(options.methods)
    problems = plan(options)
    name = "quick" if options.quick else "full"
    if options.kinds or options.seeds or options.first_seed:
        name = "chosen"
    options.output.mkdir(parents=True, exist_ok=True)
    rows_path = options.output / f"rows-{name}.jsonl"
    if options.fresh:
        rows_path.unlink(missing_ok=True)
    done = {(row["case"], row["method"]) for row in read_rows(rows_path)}
    work = [
        (problem, todo)
        for problem in problems
        if (todo := [m for m in methods_for(problem, methods) if (problem.name, m) not in done])
    ]
    count = sum(len(todo) for _, todo in work)
    print(f"{len(problems)} cases; {count} runs to do, {len(done)} rows there", flush=True)
    began = time.perf_counter()
    if "clemkit" in methods and count:
        _spawn(["--one", "warm-up", "clemkit"])  # compiled kernels are kept; nothing is measured
    with ThreadPoolExecutor(max(options.jobs, 1)) as pool:
        for _ in pool.map(lambda item: run_case(*item, rows_path), work):
            pass
    from table import write_results

    wanted = {problem.name for problem in problems}
    rows = [
        row
        for row in read_rows(rows_path)
        if row["case"] in wanted and row["method"] in options.methods
    ]
    if not rows:
        sys.exit("no rows: nothing to tabulate")
    stamp = datetime.now(UTC)
    heading = {
        "date": f"{stamp:%Y-%m-%d}",
        "command": "python benchmarks/registration/run.py " + " ".join(sys.argv[1:]),
        "minutes": (time.perf_counter() - began) / 60,
        "given": {key: METHODS[key].given for key in METHODS},
    }
    print(write_results(rows, options.output / f"{stamp:%Y-%m-%d}-{name}", heading))


def usable(names: list[str]) -> list[str]:
    """Return the methods that can run here; say why the others cannot."""
    from peers import METHODS

    for name in names:
        if METHODS[name].missing:
            print(f"skipped {name}: {METHODS[name].missing}", flush=True)
    return [name for name in names if not METHODS[name].missing]


def plan(options: argparse.Namespace) -> list[Any]:
    """Return the cases to run; every fourth seed is a volume with its sections in reverse."""
    from cases import shared_folder
    from prepared import Problem

    from clemkit.errors import NotFoundError

    if options.quick:
        kinds = options.kinds or ["simulated", "phantom", "negatives"]
    else:
        kinds = options.kinds or [*SHARES, "negatives"]
    try:
        shared_folder()
    except NotFoundError as missing:
        for kind in [k for k in kinds if k in EXTERNAL]:
            print(f"skipped {kind}: {missing}", flush=True)
        kinds = [k for k in kinds if k not in EXTERNAL]
    problems = []
    for kind in kinds:
        share, first = SHARES.get(kind, (NEGATIVES, 100))
        number = options.seeds or (1 if options.quick else share)
        if kind not in EXTERNAL and kind != "negatives" and not options.seeds and not options.quick:
            # where external kinds are missing, the phantoms make up for them
            number += (
                sum(SHARES[k][0] for k in EXTERNAL if k not in kinds)
                if (kind == "phantom" and not options.kinds)
                else 0
            )
        first = options.first_seed or first
        for level in options.levels:
            for seed in range(first, first + number):
                flip = seed % 4 == 3 and kind != "negatives"
                problems.append(Problem(kind, level, seed, flip))
    # short cases first: a table of everything exists early
    return sorted(problems, key=lambda p: (p.seed, p.kind))


def methods_for(problem: Any, methods: list[str]) -> list[str]:
    """Return the methods that make sense for a case: peers never refuse, so not for negatives."""
    from peers import METHODS

    if problem.negative:
        return [m for m in methods if m == "clemkit"]
    if problem.kind in ("simulated-ct", "phantom-xray", "xray-cortex"):
        return [m for m in methods if METHODS[m].xray]
    return [m for m in methods if METHODS[m].light]


def run_case(problem: Any, methods: list[str], rows_path: Path) -> None:
    """Make a case, run the methods on it one after another, remove it."""
    from cases import CACHE

    folder = CACHE / "prepared" / problem.name
    made = _spawn(["--prepare", problem.name])
    if made["error"]:
        print(f"{problem.name}: could not be made: {made['error']}", flush=True)
        return
    for method in methods:
        ran = _spawn(["--one", str(folder), method])
        row: dict[str, Any] = {
            "case": problem.name, "kind": problem.kind, "level": problem.level,
            "seed": problem.seed, "flip": problem.flip, "method": method,
            "peak_mb": ran["peak_mb"], "commit": _commit(),
        }  # fmt: skip
        if ran["error"]:
            row |= {"status": "error", "reason": ran["error"], "cpu_s": ran["cpu_s"]}
        else:
            row |= json.loads(ran["output"].splitlines()[-1])
        with _WRITE, rows_path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        print(_line(row), flush=True)
    shutil.rmtree(folder, ignore_errors=True)


def _line(row: dict[str, Any]) -> str:
    median = row.get("median_um")
    figure = "no transform" if median is None else f"{median:8.3f} um"
    reason = f"  {row['reason'][:90]}" if row.get("reason") else ""
    return (
        f"{row['case']:26}{row['method']:15}{figure:>13}  {row['status']:9}"
        f"{row.get('cpu_s') or 0:7.1f} CPU s{row['peak_mb']:7.0f} MB{reason}"
    )


def _spawn(arguments: list[str]) -> dict[str, Any]:
    """Run this script in a process of its own; its children's use is counted with it."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "run.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **ONE_THREAD},
        start_new_session=True,
    )
    late = threading.Timer(TIME_LIMIT_S, lambda: os.killpg(process.pid, 9))
    late.start()
    assert process.stdout is not None
    assert process.stderr is not None
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))  # type: ignore[union-attr]
    reader.start()
    output = process.stdout.read()
    reader.join()
    _, status, usage = os.wait4(process.pid, 0)
    late.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    last = errors[0].strip().splitlines()[-1:] or [f"exit {process.returncode}"]
    return {
        "output": output,
        "error": last[0] if process.returncode else "",
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }


def _prepare(name: str) -> None:
    from prepared import Problem, prepare

    prepare(Problem.parse(name))


def measure(folder: Path, method: str) -> dict[str, Any]:
    """Run one method on one prepared case in this process."""
    if str(folder) == "warm-up":
        return _warm_up()
    from peers import outcome
    from prepared import load_prepared, threshold_nm

    problem, case = load_prepared(folder)
    wall, cpu = time.perf_counter(), _cpu()
    found = outcome(method, case, problem.flip)
    row: dict[str, Any] = {
        "status": found.status,
        "reason": found.reason,
        "confidence": found.confidence,
        "reflection": found.reflection,
        "cpu_s": _cpu() - cpu,
        "wall_s": time.perf_counter() - wall,
        "threshold_um": threshold_nm(problem, case) / 1000,
        "fixed_voxels": case.fixed.grid.size,
        "moving_voxels": case.moving.grid.size,
    }
    for key in ("median_nm", "low_nm", "high_nm"):
        value = getattr(found, key)
        row[f"estimate_{key.replace('_nm', '_um')}"] = None if value is None else value / 1000
    if found.transform is not None and not problem.negative:
        row |= _errors(found.transform, case)
    return row


def _errors(transform: Any, case: Any) -> dict[str, float]:
    import numpy as np

    mapped = transform.apply_points(case.truth_fixed_zyx_nm)
    distance = np.linalg.norm(mapped - case.truth_moving_zyx_nm, axis=1) / 1000
    scored = distance[case.scored]
    return {
        "median_um": float(np.median(scored)),
        "p95_um": float(np.percentile(scored, 95)),
        "worst_um": float(distance.max()),
    }


def _warm_up() -> dict[str, Any]:
    from clemkit.errors import ClemkitError
    from clemkit.registration.engine import register
    from clemkit.testing import PhantomSpec, make_clem_phantom

    small = make_clem_phantom(PhantomSpec.small(seed=1))
    try:
        register(small.em, small.lm, fixed_labels=small.em_mitochondria)
    except ClemkitError as refusal:
        return {"status": str(refusal)}
    return {"status": "ok"}


def _cpu() -> float:
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows so far; a line that an interruption cut short is left out."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text("utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return done.stdout.strip()


if __name__ == "__main__":
    main()
