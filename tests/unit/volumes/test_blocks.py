from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clemkit.errors import ArgumentError
from clemkit.volumes.blocks import block_boxes, run_blocks
from clemkit.volumes.writers.atomic import atomic_output

sizes = st.tuples(*[st.integers(1, 40)] * 3)


@given(sizes, sizes, st.integers(1, 8), st.integers(1, 50_000))
@settings(max_examples=80, deadline=None)
def test_boxes_tile_in_whole_units_within_the_limit(shape, unit, voxel_bytes, limit):
    boxes = block_boxes(shape, unit, voxel_bytes, limit)
    seen = np.zeros(shape, int)
    for box in boxes:
        seen[box.slices] += 1
        assert all(a % u == 0 for a, u in zip(box.start, unit, strict=True))
        one_unit = all(n <= u for n, u in zip(box.shape, unit, strict=True))
        assert one_unit or np.prod(box.shape) * voxel_bytes <= limit
    assert np.all(seen == 1)
    assert [b.start for b in boxes] == sorted(b.start for b in boxes)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_block_runs_once_and_is_reported(workers):
    boxes = block_boxes((10, 10, 10), (3, 3, 3), 1, 1)
    done, reports, lock = [], [], threading.Lock()

    def work(box):
        with lock:
            done.append(box.start)

    run_blocks(work, boxes, workers, reports.append)
    assert sorted(done) == [b.start for b in boxes]
    assert reports == list(range(1, len(boxes) + 1))


@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_error_stops(workers):
    started = []

    def work(box):
        started.append(box)
        raise ValueError("broken block")

    with pytest.raises(ValueError, match="broken block"):
        run_blocks(work, block_boxes((20, 20, 20), (1, 20, 20), 1, 1), workers, lambda n: None)
    assert len(started) <= 2 * workers


def test_a_folder_is_replaced_whole_or_not(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").write_text("1")
    with pytest.raises(ArgumentError, match="existing output"), atomic_output(target, False):
        pass
    with pytest.raises(FileExistsError), atomic_output(target, True) as temporary:  # noqa: PT012
        temporary.mkdir()
        temporary.mkdir()
    assert [p.name for p in target.iterdir()] == ["old"]
    with atomic_output(target, True) as temporary:
        temporary.mkdir()
        (temporary / "new").write_text("2")
    assert [p.name for p in target.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_output_that_appears_meanwhile_is_kept(tmp_path):
    target = tmp_path / "out.txt"
    with pytest.raises(ArgumentError, match="existing"), atomic_output(target, False) as t:  # noqa: PT012
        t.write_text("ours")
        target.write_text("theirs")
    assert target.read_text() == "theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]
