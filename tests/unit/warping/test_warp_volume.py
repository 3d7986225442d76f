from __future__ import annotations

import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import zarr

from clemkit.errors import ArgumentError
from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine
from clemkit.volumes import Volume, open_volume
from clemkit.warping import plan_warp, warp_array, warp_volume
from clemkit.warping.execute import execute_plan

EM, LM = Space("em"), Space("lm")


@pytest.fixture
def volume(input_grid, rng) -> Volume:
    data = rng.integers(0, 255, input_grid.shape_zyx, dtype=np.uint8)
    return Volume(data=data, grid=input_grid, modality="lm")


def stored(path) -> np.ndarray:
    return np.asarray(zarr.open_array(path / "0", mode="r")[:])


@pytest.mark.parametrize("labels", [False, True])
def test_chunks_and_workers_never_change_a_byte(labels, tmp_path, volume, output_grid, bent):
    wanted = warp_array(volume.data, volume.grid, output_grid, bent, order=0 if labels else 1)
    assert np.count_nonzero(wanted) > 500
    number = 0
    for chunks in ((11, 21, 19), (5, 7, 6), (1, 21, 8), (4, 3, 19)):
        for workers in (1, 2, 3):
            number += 1
            path = tmp_path / f"{number}.ome.zarr"
            warp_volume(
                volume, output_grid, bent, path, labels=labels, chunks=chunks, workers=workers
            )
            assert zarr.open_array(path / "0", mode="r").chunks == chunks
            assert stored(path).tobytes() == wanted.tobytes()


def test_tiles_and_blocks_that_do_not_line_up_change_nothing(input_grid, output_grid, bent, rng):
    wide = replace(output_grid, shape_zyx=(70, 150, 90), voxel_size_zyx_nm=(6, 1.3, 2.3))
    data = rng.integers(0, 65535, input_grid.shape_zyx, dtype=np.uint16)
    wanted = warp_array(data, input_grid, wide, bent)
    for unit, budget in (((70, 150, 90), 1 << 26), ((9, 50, 31), 900), ((33, 37, 29), 1 << 26)):
        plan = plan_warp(
            bent, input_grid, wide, write_unit_zyx=unit, block_voxels=1, input_voxels=budget
        )
        out = np.full(wide.shape_zyx, 7, dtype=np.uint16)

        def write(box, channel, values, out=out):
            out[box.slices] = values

        execute_plan(
            plan, lambda box, channel: data[box.slices], write, dtype=data.dtype, workers=3
        )
        assert out.tobytes() == wanted.tobytes()


def test_the_output_is_a_whole_ome_zarr(tmp_path, volume, output_grid, affine):
    path = tmp_path / "warped.ome.zarr"
    report = warp_volume(volume, output_grid, affine, path)
    found = open_volume(path, space=EM)
    assert found.grid.shape_zyx == output_grid.shape_zyx
    assert np.allclose(found.grid.voxel_size_zyx_nm, output_grid.voxel_size_zyx_nm)
    assert np.allclose(found.grid.origin_zyx_nm, output_grid.origin_zyx_nm)
    assert np.array_equal(found.read(), warp_array(volume.data, volume.grid, output_grid, affine))
    assert report.blocks == 1
    assert report.bytes_written == output_grid.size
    assert report.order == 1
    assert [p.name for p in tmp_path.iterdir()] == ["warped.ome.zarr"]


def test_channels_keep_their_names(tmp_path, input_grid, output_grid, affine, rng):
    data = rng.integers(0, 255, (2, *input_grid.shape_zyx), dtype=np.uint8)
    both = Volume(data=data, grid=input_grid, modality="lm", channels=("mito", "er"))
    warp_volume(both, output_grid, affine, tmp_path / "both.ome.zarr")
    found = open_volume(tmp_path / "both.ome.zarr")
    assert found.channels == ("mito", "er")
    wanted = warp_array(data, input_grid, output_grid, affine)
    assert np.array_equal(np.asarray(found.data[:]), wanted)
    warp_volume(both, output_grid, affine, tmp_path / "er.ome.zarr", channel=1)
    assert np.array_equal(stored(tmp_path / "er.ome.zarr"), wanted[1])


def test_blocks_without_input_get_the_fill(tmp_path, volume, output_grid):
    far = Affine.from_parts(np.eye(3), [0.0, 0.0, 1e6], source=EM, target=LM)
    report = warp_volume(volume, output_grid, far, tmp_path / "a.ome.zarr", fill=9)
    assert np.all(stored(tmp_path / "a.ome.zarr") == 9)
    assert (report.blocks_empty, report.voxels_read) == (1, 0)
    warp_volume(volume, output_grid, far, tmp_path / "b.ome.zarr")
    assert not stored(tmp_path / "b.ome.zarr").any()


class Lazy:
    """A volume too large to hold: voxels are made when asked for; counts what is alive."""

    dtype = np.dtype(np.uint8)

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self.largest_read = 0
        self.threads: set[int] = set()

    def __getitem__(self, key):
        self.threads.add(threading.get_ident())
        # made in bytes: wider numbers here would count as memory of the warp
        z, y, x = (np.arange(s.start, s.stop).astype(np.uint8) for s in key)
        self.largest_read = max(self.largest_read, len(z) * len(y) * len(x))
        return z[:, None, None] + y[:, None] * np.uint8(3) + x * np.uint8(7)


def test_memory_stays_flat():
    edge = 320
    shape = (edge, edge, edge)
    grid = Grid(space=LM, shape_zyx=shape, voxel_size_zyx_nm=(10, 10, 10))
    turn = Affine.from_parts(
        [[0.96, 0.05, 0], [-0.05, 0.96, 0.04], [0, -0.04, 0.96]], [30, 40, 50], source=EM, target=LM
    )
    peaks = []
    for planes in (64, 320):
        out = replace(grid, space=EM, shape_zyx=(planes, edge, edge))
        lazy = Lazy(shape)
        plan = plan_warp(
            turn, grid, out, write_unit_zyx=(64, 64, 64), block_voxels=64**3, input_voxels=1 << 20
        )
        execute_plan(  # compiled before memory is watched
            replace(plan, output_grid=replace(out, shape_zyx=(64, 64, 64))),
            lambda box, channel, lazy=lazy: lazy[box.slices],
            lambda box, channel, values: None,
            dtype=lazy.dtype,
        )
        tracemalloc.start()
        report = execute_plan(
            plan,
            lambda box, channel, lazy=lazy: lazy[box.slices],
            lambda box, channel, values: None,
            dtype=lazy.dtype,
            workers=2,
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert report.blocks == planes // 64 * 25
        assert lazy.largest_read <= 1 << 20
        assert peaks[-1] < plan.peak_bytes(1, workers=2)
    # five times the volume, the same memory; far below one volume
    assert peaks[1] < 1.3 * peaks[0] + 2**20
    assert peaks[1] < 0.5 * edge**3


class Breaks(Exception):
    pass


@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupted_warp_leaves_nothing_or_the_old_output(
    workers, tmp_path, volume, output_grid, bent
):
    path = tmp_path / "w.ome.zarr"
    options = {"chunks": (5, 7, 6), "workers": workers}

    class Broken:
        shape, dtype = volume.data.shape, volume.data.dtype

        def __getitem__(self, key):
            raise Breaks

    broken = replace(volume, data=Broken())
    with pytest.raises(Breaks):
        warp_volume(broken, output_grid, bent, path, **options)
    assert list(tmp_path.iterdir()) == []
    warp_volume(volume, output_grid, bent, path, **options)
    before = stored(path).tobytes()
    with pytest.raises(Breaks):
        warp_volume(broken, output_grid, bent, path, overwrite=True, **options)
    assert stored(path).tobytes() == before

    def interrupt(stage, fraction, message=""):
        if stage == "warp":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warp_volume(volume, output_grid, bent, path, overwrite=True, progress=interrupt, **options)
    assert stored(path).tobytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["w.ome.zarr"]


def test_an_output_is_never_overwritten_unasked(tmp_path, volume, output_grid, affine):
    path = tmp_path / "w.ome.zarr"
    path.mkdir()
    with pytest.raises(ArgumentError, match="exist"):
        warp_volume(volume, output_grid, affine, path)


def test_progress_goes_forward_to_the_end(volume, output_grid, bent, tmp_path):
    seen: dict[str, list[float]] = {}
    warp_volume(
        volume,
        output_grid,
        bent,
        tmp_path / "w.ome.zarr",
        workers=2,
        progress=lambda stage, fraction, message="": seen.setdefault(stage, []).append(fraction),
    )
    assert {"plan", "warp"} <= set(seen)
    for fractions in seen.values():
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1.0


def test_labels_of_a_label_volume_are_never_mixed(tmp_path, input_grid, output_grid, bent, rng):
    data = rng.choice(np.array([0, 5, 900], dtype=np.uint32), input_grid.shape_zyx)
    volume = Volume(data=data, grid=input_grid, modality="em", role="labels")
    report = warp_volume(volume, output_grid, bent, tmp_path / "l.ome.zarr")
    assert report.order == 0
    assert set(np.unique(stored(tmp_path / "l.ome.zarr"))) == {0, 5, 900}
