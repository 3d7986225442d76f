"""Cut a volume into boxes of whole write units, in a fixed order, bounded in bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from clemkit.geometry import Box

__all__ = ["block_boxes", "run_blocks"]


def block_boxes(
    shape_zyx: tuple[int, int, int],
    unit_zyx: tuple[int, int, int],
    voxel_bytes: int,
    limit_bytes: int,
) -> list[Box]:
    """Return boxes that tile a volume in z, y, x order.

    Each box is a whole number of write units along every axis (clipped at the far faces), so no
    two boxes share a chunk or shard. Boxes grow along x, then y, then z while they stay within
    *limit_bytes*; a single unit may exceed it.
    """
    step = list(unit_zyx)
    for axis in (2, 1, 0):
        others = voxel_bytes
        for other in range(3):
            if other != axis:
                others *= min(step[other], shape_zyx[other])
        units = max(limit_bytes // (others * unit_zyx[axis]), 1)
        step[axis] = min(units, -(-shape_zyx[axis] // unit_zyx[axis])) * unit_zyx[axis]
    return [
        Box((z, y, x), (z + step[0], y + step[1], x + step[2])).clip(shape_zyx)
        for z in range(0, shape_zyx[0], step[0])
        for y in range(0, shape_zyx[1], step[1])
        for x in range(0, shape_zyx[2], step[2])
    ]


def run_blocks(
    work: Callable[[Box], None],
    boxes: Iterable[Box],
    workers: int,
    report: Callable[[int], None],
) -> None:
    """Apply *work* to every box with at most *workers* at a time; the first error stops all.

    *report* is called in the calling thread with the number of boxes done.
    """
    done = 0
    if workers <= 1:
        for box in boxes:
            work(box)
            done += 1
            report(done)
        return
    pending: set[Future[None]] = set()
    todo: Iterator[Box] = iter(boxes)
    with ThreadPoolExecutor(workers) as pool:
        try:
            for box in todo:
                pending.add(pool.submit(work, box))
                if len(pending) < workers:
                    continue
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                    done += 1
                    report(done)
            for future in pending:
                future.result()
                done += 1
                report(done)
        finally:
            for future in pending:
                future.cancel()
