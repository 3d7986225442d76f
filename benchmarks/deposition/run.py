"""Headers of many files and packages, against plain reading of the same files in the same run.

The machine cancels out of a ratio: ``headers`` is CPU time over that of opening each file with
tifffile and looking at its first page (TIFF), or reading its first 1024 bytes (MRC); ``package`` is
CPU time over that of reading and hashlib. Each measurement runs in its own process; memory is what
it needed above the imports.

    python benchmarks/deposition/run.py [--files 10000] [--write]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
SHAPE = (48, 64)
BIG_BYTES = 256 << 20


def main() -> None:
    """Run all measurements and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--write", action="store_true", help="keep the table in results/")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(MEASURES[options.one](Path(options.folder))))
        return
    with tempfile.TemporaryDirectory(prefix="clemkit-bench-") as folder:
        make_files(Path(folder), options.files)
        found = {name: measured(name, folder) for name in MEASURES}
    table = "\n".join(rows(found, options.files)) + "\n"
    print(table)
    if options.write:
        stamp = datetime.now(UTC)
        heading = (
            f"# Headers and packages, {stamp:%Y-%m-%d}\n\n"
            f"`python benchmarks/deposition/run.py --files {options.files} --write`, "
            f"Python {sys.version.split()[0]}. CPU seconds and MiB are of this machine; the ratio "
            "is not.\n\n"
        )
        path = HERE / "results" / f"{stamp:%Y-%m-%d}-{options.files}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(heading + table, encoding="utf-8")


def make_files(folder: Path, count: int) -> None:
    """Make small TIFF and MRC files, and one large file."""
    import numpy as np
    import tifffile

    for name in ("tiff", "mrc", "big"):
        (folder / name).mkdir()
    plane = np.zeros(SHAPE, np.uint8)
    tifffile.imwrite(folder / "tiff/s_00000.tif", plane, resolution=(2e6, 2e6), resolutionunit=3)
    tiff = (folder / "tiff/s_00000.tif").read_bytes()
    header = bytearray(1024)
    struct.pack_into("<4i", header, 0, SHAPE[1], SHAPE[0], 1, 0)
    struct.pack_into("<3i", header, 28, SHAPE[1], SHAPE[0], 1)
    struct.pack_into("<3f", header, 40, SHAPE[1] * 50.0, SHAPE[0] * 50.0, 80.0)
    struct.pack_into("<3i", header, 64, 1, 2, 3)
    struct.pack_into("<i", header, 108, 20140)
    header[208:212], header[212:214] = b"MAP ", b"\x44\x44"
    mrc = bytes(header) + bytes(SHAPE[0] * SHAPE[1])
    for number in range(count):
        (folder / f"tiff/s_{number:05}.tif").write_bytes(tiff)
        (folder / f"mrc/s_{number:05}.mrc").write_bytes(mrc)
    with (folder / "big/volume.mrc").open("wb") as stream:
        stream.write(mrc)
        stream.truncate(BIG_BYTES)
    digest_plainly(folder)  # who reads first also fills the cache of the system


def measured(name: str, folder: str) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--one", name, "--folder", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def clocked(work: Callable[[], object]) -> dict[str, float]:
    """Return wall and CPU seconds and the growth of the peak memory."""
    before = peak_kib()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    after = peak_kib()
    return {"cpu": cpu, "wall": wall, "added_mib": (after - before) / 2**10, "mib": after / 2**10}


def peak_kib() -> int:
    """Return the peak memory of this process; the system's own figure may hold its parent's."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1])


def headers(folder: Path, kind: str, pattern: str) -> dict[str, float]:
    """Read all headers as a check does."""
    from clemkit.deposition.headers import file_facts
    from clemkit.metadata.validate.files import check_files

    count = len(list((folder / kind).iterdir()))
    file_set = {"directory": kind, "file_pattern": pattern, "file_count": count}
    image = {"file_set": file_set, "data_type": "int8" if kind == "mrc" else "uint8"}
    first = next((folder / kind).iterdir())
    file_facts({"directory": kind, "file_pattern": first.name}, folder)  # imports

    def work() -> None:
        assert check_files(image, (), file_facts(file_set, folder, workers=2)) == []

    return clocked(work)


def plain_tiff(folder: Path) -> dict[str, float]:
    """Open each file with tifffile and look at its first page."""
    import tifffile

    def work() -> None:
        for path in sorted((folder / "tiff").iterdir()):
            with tifffile.TiffFile(path) as tiff:
                assert tiff.pages[0].shape == SHAPE

    return clocked(work)


def plain_mrc(folder: Path) -> dict[str, float]:
    """Read the first 1024 bytes of each file."""

    def work() -> None:
        for path in sorted((folder / "mrc").iterdir()):
            with path.open("rb") as stream:
                assert len(stream.read(1024)) == 1024

    return clocked(work)


def package(folder: Path) -> dict[str, float]:
    """Link a large file into a package with both manifests."""
    from clemkit.deposition.package import build_package, plan_package

    images = [{"id": "em", "file_set": {"directory": "big", "file_pattern": "*.mrc"}}]
    plan = plan_package({"images": images}, folder)
    return clocked(lambda: build_package(plan, folder / "PACKAGE", {}, workers=2))


def plain_digests(folder: Path) -> dict[str, float]:
    """Read and digest the same file."""

    return clocked(lambda: digest_plainly(folder))


def digest_plainly(folder: Path) -> None:
    """Read and digest the large file."""
    sha, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with (folder / "big/volume.mrc").open("rb") as stream:
        while block := stream.read(1 << 20):
            sha.update(block)
            md5.update(block)


MEASURES: dict[str, Callable[[Path], dict[str, float]]] = {
    "TIFF headers, clemkit": lambda folder: headers(folder, "tiff", "*.tif"),
    "TIFF headers, tifffile alone": plain_tiff,
    "MRC headers, clemkit": lambda folder: headers(folder, "mrc", "*.mrc"),
    "MRC headers, 1024 bytes each": plain_mrc,
    "package of 256 MiB, clemkit": package,
    "256 MiB, read and hashlib": plain_digests,
}


def rows(found: dict[str, dict[str, float]], files: int) -> list[str]:
    """Return the lines of the table."""
    lines = [
        "| what | wall s | CPU s | files per CPU s | ratio | peak MiB | of it added |",
        "|---|---|---|---|---|---|---|",
    ]
    names = list(found)
    for ours, plain in zip(names[::2], names[1::2], strict=True):
        for name in (ours, plain):
            one = found[name]
            rate = f"{files / one['cpu']:.0f}" if "headers" in name else ""
            ratio = f"{one['cpu'] / found[plain]['cpu']:.2f}" if name == ours else "1"
            lines.append(
                f"| {name} | {one['wall']:.2f} | {one['cpu']:.2f} | {rate} | {ratio} | "
                f"{one['mib']:.0f} | {one['added_mib']:.0f} |"
            )
    return lines


if __name__ == "__main__":
    main()
