"""Errors of the worker itself, as opposed to `tasker_core.errors`, which handlers raise."""

from __future__ import annotations


class TaskerError(Exception):
    """Something in the Tasker worker failed."""


class WorkerNotInitializedError(TaskerError):
    """No worker runs in this process."""


class WorkerBootstrapError(TaskerError):
    """The worker could not start."""


class WorkerAlreadyRunningError(TaskerError):
    """A worker already runs in this process."""


class FFIError(TaskerError):
    """The connection to the Tasker core failed."""


class ConversionError(TaskerError):
    """A value could not be converted to or from JSON."""


__all__ = [
    "ConversionError",
    "FFIError",
    "TaskerError",
    "WorkerAlreadyRunningError",
    "WorkerBootstrapError",
    "WorkerNotInitializedError",
]
