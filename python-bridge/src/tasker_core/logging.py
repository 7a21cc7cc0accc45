"""Log functions for handlers.

Inside a worker the records travel to the Tasker core with the ids of the running step;
elsewhere they are ordinary records of the standard logger ``tasker``.
"""

from __future__ import annotations

import logging as _logging
from collections.abc import Mapping
from typing import Any

from tasker_core.types.events import LogContext

_TRACE = 5
_logger = _logging.getLogger("tasker")

Fields = Mapping[str, Any] | LogContext | None


def log_error(message: str, fields: Fields = None) -> None:
    _log(_logging.ERROR, message, fields)


def log_warn(message: str, fields: Fields = None) -> None:
    _log(_logging.WARNING, message, fields)


def log_info(message: str, fields: Fields = None) -> None:
    _log(_logging.INFO, message, fields)


def log_debug(message: str, fields: Fields = None) -> None:
    _log(_logging.DEBUG, message, fields)


def log_trace(message: str, fields: Fields = None) -> None:
    _log(_TRACE, message, fields)


def _log(level: int, message: str, fields: Fields) -> None:
    if not _logger.isEnabledFor(level):
        return
    if isinstance(fields, LogContext):
        values = fields.model_dump(exclude_none=True)
    else:
        values = dict(fields or {})
    texts = {str(key): str(value) for key, value in values.items()}
    _logger.log(level, "%s", message, extra={"tasker_fields": texts})


__all__ = ["log_debug", "log_error", "log_info", "log_trace", "log_warn"]
