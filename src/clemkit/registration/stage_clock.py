"""Collects what each stage of the engine took and achieved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from clemkit.registration.result import StageRecord

__all__ = ["StageClock"]


@dataclass
class StageClock:
    """Stage records of one run."""

    stages: list[StageRecord] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, float | None]]:
        """Time a stage; put its figure under ``"metric"``."""
        note: dict[str, float | None] = {"metric": None}
        wall, cpu = time.perf_counter(), time.process_time()
        yield note
        self.stages.append(
            StageRecord(
                name=name,
                seconds=time.perf_counter() - wall,
                cpu_seconds=time.process_time() - cpu,
                metric=note["metric"],
            )
        )
