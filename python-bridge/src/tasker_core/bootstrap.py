"""Start and stop the worker of this process.

Which host serves it is decided by the environment: TASKER_BRIDGE names a channel or an address to
join (with TASKER_BRIDGE_TOKEN_FILE); without it a `tasker worker` is started, found by TASKER_BIN
or on the PATH, with this process's DATABASE_URL, and stopped when the program ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasker_core import _tasker_core as _native
from tasker_core.types.worker import BootstrapConfig, BootstrapResult, WorkerStatus


def bootstrap_worker(
    config: BootstrapConfig | Mapping[str, Any] | None = None,
) -> BootstrapResult:
    """Start the worker, unless it runs already (`status` is then ``already_running``).

    Raises ValueError for a bad configuration, WorkerBootstrapError when there is no host.
    """
    given = BootstrapConfig.model_validate(config or {})
    return BootstrapResult.model_validate(_native.bootstrap_worker(given.model_dump()))


def stop_worker() -> str:
    """Let running steps finish (25 s at most) and end the worker. Returns what was done."""
    return _native.stop_worker()


def get_worker_status() -> WorkerStatus:
    return WorkerStatus.model_validate(_native.get_worker_status())


def transition_to_graceful_shutdown() -> str:
    """Take no new steps; those in flight may finish. Raises WorkerNotInitializedError."""
    return _native.transition_to_graceful_shutdown()


def is_worker_running() -> bool:
    return _native.is_worker_running()


__all__ = [
    "bootstrap_worker",
    "get_worker_status",
    "is_worker_running",
    "stop_worker",
    "transition_to_graceful_shutdown",
]
