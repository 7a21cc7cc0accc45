"""What a program learns about the worker it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, ClassVar, cast

from tasker_core.types._model import Model

LOG_LEVELS = ("trace", "debug", "info", "warn", "error")


def _log_level(value: Any) -> str:
    if value not in LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(LOG_LEVELS)}, got {value!r}")
    return cast(str, value)


@dataclass
class BootstrapConfig(Model):
    """How to start a worker. Real settings come from the configuration file and environment.

    `config_path` and `log_level` go to a host that this process starts; unknown keys are refused.
    """

    worker_id: str | None = None
    namespace: str = "default"
    config_path: str | None = None
    log_level: str = "info"

    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {"log_level": _log_level}

    def __post_init__(self) -> None:
        _log_level(self.log_level)

    @classmethod
    def model_validate(cls, data: Any) -> BootstrapConfig:
        """Raises ValueError for an unknown key, a missing one or one of the wrong kind."""
        if isinstance(data, Mapping):
            known = {each.name for each in fields(cls)}
            unknown = sorted(set(cast("Mapping[str, Any]", data)) - known)
            if unknown:
                raise ValueError(f"BootstrapConfig: unknown key `{unknown[0]}`")
        return super().model_validate(data)


@dataclass
class BootstrapResult(Model):
    """What `bootstrap_worker` did. `success` is true exactly when `status` is ``started``."""

    success: bool
    handle_id: str
    worker_id: str
    status: str
    message: str
    error_message: str | None = None


class WorkerState(str, Enum):
    """Where a worker is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    SHUTTING_DOWN = "shutting_down"
    STOPPED = "stopped"
    ERROR = "error"


@dataclass
class WorkerStatus(Model):
    """The worker of this process. The database pools belong to the host: 0 here."""

    running: bool
    environment: str | None = None
    worker_core_status: str | None = None
    web_api_enabled: bool = False
    supported_namespaces: list[str] = field(default_factory=lambda: [])
    database_pool_size: int = 0
    database_pool_idle: int = 0
    error: str | None = None


@dataclass
class FfiDispatchMetrics(Model):
    """Step events handed to this process and not yet completed; ages in milliseconds."""

    pending_count: int = 0
    oldest_pending_age_ms: int | None = None
    newest_pending_age_ms: int | None = None
    oldest_event_id: str | None = None
    starvation_detected: bool = False
    starving_event_count: int = 0


@dataclass
class StarvationWarning(Model):
    """A step event that nobody has polled for longer than `threshold_ms`."""

    event_id: str
    step_uuid: str
    pending_age_ms: int
    threshold_ms: int


@dataclass
class ComponentHealth(Model):
    """One part of a health check."""

    name: str
    status: str
    pool_size: int | None = None
    pool_idle: int | None = None


def _components(value: Any) -> dict[str, ComponentHealth]:
    given = cast("Mapping[str, Any]", value)
    return {name: ComponentHealth.model_validate(part) for name, part in given.items()}


@dataclass
class HealthCheck(Model):
    """Health of the worker: `status` is ``healthy``, ``degraded`` or ``unhealthy``."""

    status: str
    is_running: bool
    components: dict[str, ComponentHealth] = field(default_factory=lambda: {})
    rust: dict[str, Any] = field(default_factory=lambda: {})
    python: dict[str, Any] = field(default_factory=lambda: {})

    coerce: ClassVar[Mapping[str, Callable[[Any], Any]]] = {"components": _components}


@dataclass
class WorkerMetrics(Model):
    """Counters of the worker since it started; ages in milliseconds."""

    dispatch_channel_pending: int = 0
    oldest_pending_age_ms: int | None = None
    newest_pending_age_ms: int | None = None
    starvation_detected: bool = False
    starving_event_count: int = 0
    database_pool_size: int = 0
    database_pool_idle: int = 0
    environment: str | None = None
    steps_processed: int = 0
    steps_succeeded: int = 0
    steps_failed: int = 0
    steps_in_progress: int = 0


@dataclass
class WorkerConfig(Model):
    """The settings the worker runs with."""

    environment: str | None = None
    supported_namespaces: list[str] = field(default_factory=lambda: [])
    web_api_enabled: bool = False
    database_pool_size: int = 0
    polling_interval_ms: int = 10
    starvation_threshold_ms: int = 1000
    max_concurrent_handlers: int = 10
    handler_timeout_ms: int = 30_000


__all__ = [
    "BootstrapConfig",
    "BootstrapResult",
    "ComponentHealth",
    "FfiDispatchMetrics",
    "HealthCheck",
    "StarvationWarning",
    "WorkerConfig",
    "WorkerMetrics",
    "WorkerState",
    "WorkerStatus",
]
