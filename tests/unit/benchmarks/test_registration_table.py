from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[3] / "benchmarks" / "registration" / "table.py"


@pytest.fixture(scope="module")
def table():
    spec = importlib.util.spec_from_file_location("registration_table", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(method="clemkit", status="ok", median=0.1, **more):
    base = {
        "case": "phantom-easy-1", "kind": "phantom", "level": "easy", "seed": 1, "flip": False,
        "method": method, "status": status, "threshold_um": 0.85, "cpu_s": 30.0, "peak_mb": 400.0,
    }  # fmt: skip
    if median is not None:
        base |= {"median_um": median, "p95_um": 3 * median, "worst_um": 9 * median}
    return base | more


def test_wrong_and_confident_is_a_false_success(table):
    rows = [row(median=0.1), row(median=2.0), row(status="uncertain", median=3.0)]
    figures = table.summarise([*rows, row(status="failed", median=None)])
    assert (figures["n"], figures["found"], figures["false"]) == (4, 1, 1)
    assert (figures["refused"], figures["uncertain"]) == (1, 1)
    assert figures["median"] == 2.0
    assert figures["worst"] == 27.0


def test_a_method_without_a_verdict_never_doubts(table):
    assert table.summarise([row("greedy", "none", 5.0)])["false"] == 1


def test_the_interval_is_held_against_the_true_median(table):
    inside = row(estimate_low_um=0.05, estimate_high_um=0.2)
    outside = row(median=0.3, estimate_low_um=0.05, estimate_high_um=0.2)
    figures = table.summarise([inside, outside])
    assert (figures["holds"], figures["judged"]) == (1, 2)


def test_the_ratio_is_to_the_best_elastix_of_the_case(table):
    rows = [row(median=0.06), row("elastix-mi", "none", 0.12), row("elastix-ncc", "none", 0.10)]
    (line,) = [line for line in table._paired(rows) if "mitochondria" in line]
    assert line.split("|")[4].strip() == "0.60"


def test_a_lost_case_is_an_infinite_ratio(table):
    rows = [row(status="failed", median=None), row("elastix-ncc", "none", 0.1)]
    (line,) = [line for line in table._paired(rows) if "mitochondria" in line]
    assert line.split("|")[5].strip() == "inf"


def test_files_are_written(table, tmp_path):
    pytest.importorskip("matplotlib")
    negative = row(kind="negatives", case="negatives-easy-2", seed=2, status="failed", median=None)
    heading = {"date": "2026-01-02", "command": "run", "given": {"clemkit": "nothing"}}
    text = table.write_results([row(), negative], tmp_path / "out", heading)
    assert "| clemkit | nothing | 1 | 0.100 | 0.300 | 0.90 | 1/1 |" in text
    assert "| easy | unrelated | 1 | 1 | 0 | 0 | 0 | – |" in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.csv", "out.md", "out.png"]
    assert (tmp_path / "out.csv").read_text().count("\n") == 3
