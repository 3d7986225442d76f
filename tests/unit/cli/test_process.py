"""What only a real process shows: signals, pipes, a base install."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from clemkit.cli import failures

MAIN = "import sys; from clemkit.cli.main import main; sys.exit(main({arguments}))"

SLOW_WORKFLOW = """
import sys, time, types
fake = types.ModuleType("clemkit.workflows.convert")
def volume_info(path, **_):
    print("started", flush=True)
    time.sleep(60)
fake.volume_info = volume_info
sys.modules[fake.__name__] = fake
"""

# stands for an environment without any extra
WITHOUT_EXTRAS = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_is_one_line_and_130():
    code = SLOW_WORKFLOW + MAIN.format(arguments=["info", "x"])
    with subprocess.Popen(
        python(code),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a test run in the background inherits that Ctrl-C is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert err.startswith("clemkit: interrupted")
    assert len(err.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_reader_that_leaves_is_no_error():
    with subprocess.Popen(
        python(MAIN.format(arguments=["register", "--help"])),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode in (0, 1)
    assert b"Traceback" not in err


def run_without_extras(code: str) -> subprocess.CompletedProcess[str]:
    names = set(failures._EXTRA_OF)
    script = WITHOUT_EXTRAS.format(names=names) + code
    return subprocess.run(python(script), capture_output=True, text=True, timeout=60, check=False)


def test_a_base_install_has_the_program_and_the_values():
    done = run_without_extras(
        "import clemkit, clemkit.errors, clemkit.provenance\n"
        "clemkit.Grid(space=clemkit.Space('em'), shape_zyx=(1, 2, 3), "
        "voxel_size_zyx_nm=(1, 1, 1))\n" + MAIN.format(arguments=["--help"])
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_extra_is_one_line(tmp_path):
    path = tmp_path / "stack.tif"
    path.write_bytes(b"II*\0")
    done = run_without_extras(MAIN.format(arguments=["info", str(path)]))
    assert done.returncode == 2
    assert "pip install 'clemkit[reg]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_table_of_extras_is_the_one_of_the_project():
    root = Path(__file__).parents[3]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    package_of = {"skimage": "scikit-image", "ome_types": "ome-types"}
    for module, extra in failures._EXTRA_OF.items():
        package = package_of.get(module, module)
        assert any(line.startswith(package) for line in extras[extra]), module
