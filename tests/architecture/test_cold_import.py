"""The command line answers before anything heavy is loaded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "numpy", "scipy", "numba", "zarr", "h5py", "tifffile", "skimage", "SimpleITK", "itk",
    "matplotlib", "jinja2", "rdflib", "linkml", "yaml", "rich",
}  # fmt: skip
# 169 and 280 on CPython 3.11: typer loads pydantic when a command has options of its own
HELP_BUDGET = 200
COMMAND_BUDGET = 330


def modules_after(code: str) -> tuple[set[str], float]:
    """Return the modules that *code* loads in a fresh interpreter, and its CPU seconds."""
    script = (
        f"import json, sys, time\n{code}\n"
        "print(json.dumps([sorted(sys.modules), time.process_time()]), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    names, seconds = json.loads(done.stderr.splitlines()[-1])
    return set(names), seconds


HELP = "from clemkit.cli.main import main; assert main({arguments}) == 0"


@pytest.mark.parametrize("command", ["", "register", "warp", "convert", "info", "demo"])
def test_help_loads_nothing_heavy(command):
    arguments = [*([command] if command else []), "--help"]
    loaded, _ = modules_after(HELP.format(arguments=arguments))
    assert loaded & HEAVY == set()
    assert len(loaded) <= (COMMAND_BUDGET if command else HELP_BUDGET)


def test_import_of_the_package_loads_nothing_heavy():
    loaded, _ = modules_after("import clemkit")
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    "module", ["clemkit.registration", "clemkit.transforms", "clemkit.volumes", "clemkit.landmarks"]
)
def test_rooms_do_not_load_itk(module):
    loaded, _ = modules_after(f"import {module}")
    assert loaded & {"SimpleITK", "itk", "matplotlib", "typer"} == set()


@pytest.mark.performance
def test_help_takes_less_than_half_a_second_of_cpu():
    seconds = min(modules_after(HELP.format(arguments=["--help"]))[1] for _ in range(3))
    assert seconds < 0.5
