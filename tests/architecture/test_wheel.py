"""What is shipped: the package with its data, nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory) -> list[str]:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_every_file_of_the_package_is_shipped(wheel_names):
    source = ROOT / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for path in (source / "clemkit").rglob("*")
        if path.is_file()
        and path.suffix
        in (".py", ".typed", ".html", ".css", ".js", ".json", ".jsonld", ".ttl", ".rq")
    }
    assert "clemkit/py.typed" in wanted
    assert wanted <= set(wheel_names)


def test_nothing_else_is_shipped(wheel_names):
    tops = {name.split("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.startswith("clemkit")} == set()
    assert any(name.endswith("licenses/LICENSE") for name in wheel_names)
