"""The one arithmetic for splitting items into ranges: each item is covered exactly once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tasker_core.types.batch import CursorConfig


@dataclass
class BatchWorkerConfig:
    """The share of one worker."""

    batch_id: str
    cursor_start: int
    cursor_end: int
    row_count: int
    worker_index: int
    total_workers: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def ranges_by_size(
    total_items: int, batch_size: int, step_size: int = 1, max_batches: int | None = None
) -> list[CursorConfig]:
    """Consecutive ranges of `batch_size`, the last one shorter.

    More than `max_batches` of them make the batches larger instead. Raises ValueError for a
    batch size below 1.
    """
    if batch_size <= 0:
        raise ValueError("batch_size must be > 0")
    if total_items <= 0:
        return []
    if max_batches is not None and max_batches > 0 and _ceil(total_items, batch_size) > max_batches:
        batch_size = _ceil(total_items, max_batches)
    return [
        CursorConfig(start, min(start + batch_size, total_items), step_size)
        for start in range(0, total_items, batch_size)
    ]


def ranges_by_workers(total_items: int, worker_count: int) -> list[BatchWorkerConfig]:
    """At most `worker_count` shares; fewer when the items run out. Raises ValueError below 1."""
    if worker_count <= 0:
        raise ValueError("worker_count must be > 0")
    if total_items <= 0:
        return []
    share = _ceil(total_items, worker_count)
    return [
        BatchWorkerConfig(
            batch_id=f"{index + 1:03d}",
            cursor_start=start,
            cursor_end=min(start + share, total_items),
            row_count=min(start + share, total_items) - start,
            worker_index=index,
            total_workers=worker_count,
        )
        for index, start in enumerate(range(0, total_items, share))
    ]


def _ceil(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
