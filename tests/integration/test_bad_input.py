"""What a user gets wrong: one clear line, the right exit status, nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from scipy import ndimage as ndi

from clemkit.cli.main import main
from clemkit.geometry import Grid, Space
from clemkit.volumes import Volume, write_ome_tiff

EM, LM = (100.0, 100.0, 100.0), (200.0, 160.0, 160.0)


def write(path: Path, data: np.ndarray, voxel, **kwargs) -> Path:
    grid = Grid(space=Space("any"), shape_zyx=data.shape[-3:], voxel_size_zyx_nm=voxel)
    write_ome_tiff(path, Volume(data=data, grid=grid, modality="em", **kwargs))
    return path


def blobs(seed: int, shape: tuple[int, int, int], count: int) -> np.ndarray:
    """Instance labels of separate ellipsoids, uint16."""
    rng = np.random.default_rng(seed)
    out = np.zeros(shape, np.uint16)
    index = np.stack(np.indices(shape), axis=-1)
    for number in range(1, count + 1):
        centre = rng.uniform(2, np.array(shape) - 3)
        radius = rng.uniform(1.5, 4.0, 3)
        out[np.sum(((index - centre) / radius) ** 2, axis=-1) < 1] = number
    return out


def grey(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, shape)
    return np.clip(128 + 60 * ndi.gaussian_filter(noise, 1.0), 0, 255).astype(np.uint8)


@pytest.fixture
def files(tmp_path):
    """A fixed volume with labels and a moving one; small, and sound."""
    shape = (20, 32, 36)
    labels = blobs(1, shape, 25)
    light = ndi.gaussian_filter((blobs(1, shape, 25) > 0).astype(float), 1.2)
    stack = np.random.default_rng(2).poisson(20 + 200 * light).astype(np.uint16)
    return SimpleNamespace(
        folder=tmp_path,
        out=tmp_path / "OUT",
        em=write(tmp_path / "em.ome.tif", grey(3, shape), EM),
        labels=write(tmp_path / "labels.ome.tif", labels, EM, role="labels"),
        lm=write(tmp_path / "lm.ome.tif", stack, EM),
    )


@pytest.fixture
def register(capsys, files):
    """Run ``clemkit register``; return status, stdout, stderr and the record, if any."""

    def call(*arguments: object, **changes: Path | None) -> SimpleNamespace:
        chosen = {"fixed": files.em, "moving": files.lm, "fixed_labels": files.labels} | changes
        flags = [
            text
            for name, path in chosen.items()
            if path is not None
            for text in (f"--{name.replace('_', '-')}", str(path))
        ]
        before = set(files.folder.iterdir())
        status = main(["register", *flags, *map(str, arguments), "-o", str(files.out), "-q"])
        written = capsys.readouterr()
        new = {path.name for path in set(files.folder.iterdir()) - before}
        record = files.out / "registration.json"
        return SimpleNamespace(
            status=status,
            out=written.out,
            err=written.err,
            new=new,
            record=json.loads(record.read_text()) if record.exists() else None,
        )

    return call


def refused(found: SimpleNamespace, *words: str) -> None:
    """The registration was tried and refused: exit 1, a record with the reason, no more."""
    assert found.status == 1
    assert found.new == {"OUT"}
    assert found.record["status"] == "failed"
    for word in words:
        assert word in found.record["reason"]
    assert found.record["tre_estimate_nm"]["median"] is None


def unreadable(found: SimpleNamespace, status: int, *words: str) -> None:
    """Nothing was written, and one line on stderr says why."""
    assert found.status == status
    assert found.new == set()
    lines = [line for line in found.err.splitlines() if line]
    assert len(lines) == 1, found.err
    for word in words:
        assert word in lines[0]


def test_empty_labels(register, files):
    empty = write(files.folder / "empty.ome.tif", np.zeros((20, 32, 36), np.uint16), EM)
    found = register(fixed_labels=empty)
    refused(found, "fixed labels", "all voxels are 0", "segment first")
    assert {path.name for path in files.out.iterdir()} == {"registration.json", "provenance.json"}


def test_one_object_is_never_a_confident_result(register, files):
    one = np.zeros((20, 32, 36), np.uint16)
    one[8:12, 10:20, 15:19] = 1
    found = register(fixed_labels=write(files.folder / "one.ome.tif", one, EM))
    assert found.record["status"] in ("uncertain", "failed")
    assert found.status == (1 if found.record["status"] == "failed" else 0)
    assert found.record["warnings"]


def test_unrelated_samples_are_not_a_confident_result(register, files):
    other = ndi.gaussian_filter((blobs(99, (20, 32, 36), 25) > 0).astype(float), 1.2)
    stack = np.random.default_rng(5).poisson(20 + 200 * other).astype(np.uint16)
    found = register(moving=write(files.folder / "other.ome.tif", stack, EM))
    assert found.record["status"] in ("uncertain", "failed")
    assert found.status == (1 if found.record["status"] == "failed" else 0)


@pytest.mark.slow
def test_exchanged_volumes_are_named_in_the_refusal(register, files):
    labels = blobs(4, (24, 60, 70), 12)
    stack = np.random.default_rng(6).poisson(20 + 50 * (labels > 0)).astype(np.uint16)
    wide = write(files.folder / "wide.ome.tif", stack, LM)
    segmented = write(files.folder / "segmented.ome.tif", labels, LM, role="labels")
    found = register(fixed=wide, moving=files.em, fixed_labels=segmented)
    refused(found, "may be exchanged", "smaller than the fixed one")


def test_nan_in_the_moving_image(register, files):
    bad = np.random.default_rng(7).random((20, 32, 36)).astype(np.float32)
    bad[3, 4, 5] = np.nan
    path = write(files.folder / "nan.ome.tif", bad, EM)
    unreadable(register(moving=path), 3, "moving image", "1 NaN", "replace them")


def test_nan_in_labels(register, files):
    bad = blobs(1, (20, 32, 36), 25).astype(np.float32)
    bad[3, 4, 5] = np.nan
    path = write(files.folder / "nan.ome.tif", bad, EM)
    unreadable(register(fixed_labels=path), 3, "labels", "nan")


def test_constant_image(register, files):
    path = write(files.folder / "flat.ome.tif", np.full((20, 32, 36), 7, np.uint8), EM)
    unreadable(register(moving=path), 3, "moving image", "same value 7 everywhere")


def test_a_plane_for_a_volume(register, files):
    plane = write(files.folder / "plane.ome.tif", grey(1, (1, 32, 36)), EM)
    found = register(moving=plane)
    unreadable(found, 2, "found one plane as the moving volume and 20 planes as the fixed")


def test_labels_with_axes_in_another_order(register, files):
    turned = blobs(1, (20, 32, 36), 25).transpose(2, 1, 0).copy()
    path = files.folder / "turned.tif"
    tifffile.imwrite(path, turned)  # no voxel size, so nothing says where it lies
    found = register(fixed_labels=path)
    unreadable(found, 2, "--fixed-labels", "(20, 32, 36)", "(36, 32, 20)", "check the axes")


def test_labels_of_another_place(register, files):
    grid = Grid(
        space=Space("any"), shape_zyx=(5, 7, 9), voxel_size_zyx_nm=EM,
        origin_zyx_nm=(9e6, 9e6, 9e6),
    )  # fmt: skip
    path = files.folder / "elsewhere.ome.zarr"
    from clemkit.volumes import write_ome_zarr

    write_ome_zarr(path, Volume(data=blobs(1, (5, 7, 9), 3), grid=grid, modality="em"))
    unreadable(register(fixed_labels=path), 2, "--fixed-labels", "0% lies in it")


def test_missing_unit_names_the_flag_of_the_side(register, files):
    path = files.folder / "bare.tif"
    tifffile.imwrite(path, np.random.default_rng(1).poisson(20, (20, 32, 36)).astype(np.uint16))
    found = register(moving=path)
    unreadable(found, 2, "bare.tif", "voxel size", "--moving-voxel-size Z,Y,X")
    assert " --voxel-size" not in found.err


def test_truncated_tiff(register, files):
    whole = files.lm.read_bytes()
    path = files.folder / "cut.ome.tif"
    path.write_bytes(whole[: len(whole) // 3])
    found = register(moving=path)
    unreadable(found, 3, "cut.ome.tif")


def test_a_file_that_is_no_image(register, files):
    path = files.folder / "letter.tif"
    path.write_text("Dear colleague, here is the stack.")
    unreadable(register(fixed=path), 3, "letter.tif")


def test_a_missing_file(register, files):
    found = register(fixed_labels=files.folder / "nowhere.tif")
    unreadable(found, 2, "nowhere.tif", "found nothing there")


def test_a_channel_that_does_not_exist(register, files):
    found = register("--moving-channel", "RFP")
    unreadable(found, 2, "--moving-channel", "'RFP'")


def test_time_series(register, files):
    path = files.folder / "movie.ome.tif"
    tifffile.imwrite(
        path,
        np.zeros((3, 4, 16, 18), np.uint16),
        metadata={
            "axes": "TZYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "PhysicalSizeZ": 0.2,
            "PhysicalSizeXUnit": "um", "PhysicalSizeYUnit": "um", "PhysicalSizeZUnit": "um",
        },
    )  # fmt: skip
    unreadable(register(moving=path), 2, "time series of 3 points", "clemkit convert --time N")


def test_wrapped_ids_are_separated_again_and_reported(register, files):
    true = blobs(1, (20, 32, 36), 25)
    wrapped = np.where(true > 0, 250 + true % 5, 0).astype(np.uint8)
    path = write(files.folder / "wrapped.ome.tif", wrapped, EM)
    found = register(fixed_labels=path)
    assert any("cut off while saving" in text for text in found.record["warnings"]), found.record


def test_absent_n5_blocks_mean_zero(register, files):
    """Only one block of the labels exists; the others are background, not an error."""
    store = files.folder / "labels.n5"
    store.mkdir()
    shape = (20, 32, 36)
    block = (10, 32, 36)
    (store / "attributes.json").write_text(
        json.dumps(
            {
                "n5": "2.0.0",
                "dimensions": list(shape[::-1]),
                "blockSize": list(block[::-1]),
                "dataType": "uint16",
                "compression": {"type": "raw"},
                "pixelResolution": {"dimensions": [100.0, 100.0, 100.0], "unit": "nm"},
            }
        )
    )
    labels = blobs(1, shape, 25)
    (store / "0" / "0").mkdir(parents=True)
    head = np.array([0, 3], ">u2").tobytes() + np.array(block[::-1], ">u4").tobytes()
    (store / "0" / "0" / "0").write_bytes(head + labels[:10].astype(">u2").tobytes())
    from clemkit.volumes import open_volume

    read = open_volume(store, role="labels").read()
    assert np.array_equal(read[:10], labels[:10])
    assert not read[10:].any()
    found = register(fixed_labels=store)
    assert found.status in (0, 1)
    assert found.record["inputs"]["fixed"]["labels"] == str(store)


def test_an_existing_output_is_refused_before_any_work(register, files):
    files.out.mkdir()
    (files.out / "thesis.docx").write_text("do not lose")
    unreadable(register(), 2, "OUT", "--overwrite")
    unreadable(register("--overwrite"), 2, "OUT", "found something else")
    assert (files.out / "thesis.docx").read_text() == "do not lose"


def test_the_output_may_not_hold_an_input(register, files):
    found = register("--overwrite", fixed=files.em)
    assert found.status in (0, 1)  # an ordinary run; its folder is then taken as an input
    inside = files.out / "registration.json"
    again = register("--overwrite", moving=inside)
    assert again.status == 2
    assert "found the input" in again.err
    assert inside.exists()


_ON_A_FULL_DISK = """
    import resource, signal, sys
    import clemkit.workflows.register, clemkit.registration.engine  # compiled caches come first
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES, BYTES))
    from clemkit.cli.main import main
    sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("limit", [100, 3000])
def test_disk_full(files, limit):
    """No file may grow beyond the limit, as on a full disk; landmarks make the run short."""
    rng = np.random.default_rng(8)
    rows = [
        f"Pt-{n},true,{','.join(f'{v:.3f}' for v in (*p, *(p * 1.1 + 3)))}"
        for n, p in enumerate(rng.uniform(0, 50, (20, 3)))
    ]
    pairs = files.folder / "pairs.csv"
    pairs.write_text("\n".join(rows) + "\n")
    code = textwrap.dedent(_ON_A_FULL_DISK).replace("BYTES", str(limit))
    before = {path.name for path in files.folder.iterdir()}
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, "register", "--landmarks", str(pairs), "--units", "um",
         "-o", str(files.out), "-q"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    assert "File too large" in lines[0]
    assert "OUT" in lines[0]
    assert {path.name for path in files.folder.iterdir()} == before
