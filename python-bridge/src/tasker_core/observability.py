"""Health, metrics and settings of the running worker.

Each raises WorkerNotInitializedError when no worker runs in this process.
"""

from __future__ import annotations

from tasker_core import _tasker_core as _native
from tasker_core.types.worker import ComponentHealth, HealthCheck, WorkerConfig, WorkerMetrics


def get_health_check() -> HealthCheck:
    return HealthCheck.model_validate(_native.get_health_check())


def get_metrics() -> WorkerMetrics:
    return WorkerMetrics.model_validate(_native.get_metrics())


def get_worker_config() -> WorkerConfig:
    return WorkerConfig.model_validate(_native.get_worker_config())


__all__ = [
    "ComponentHealth",
    "HealthCheck",
    "WorkerConfig",
    "WorkerMetrics",
    "get_health_check",
    "get_metrics",
    "get_worker_config",
]
