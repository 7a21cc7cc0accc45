"""Fixtures: a fresh registry per test, and a scripted host for runtime tests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from host import ScriptedHost
from tasker_core import EventBridge, HandlerRegistry, Worker
from tasker_core._worker import current
from tasker_core.definitions import TaskRegistry


@pytest.fixture(autouse=True)
def fresh_registry() -> Iterator[None]:
    for each in (HandlerRegistry, TaskRegistry):
        each.reset_instance()
    yield
    for each in (HandlerRegistry, TaskRegistry):
        each.reset_instance()


@pytest.fixture
def start_host() -> Iterator[Callable[..., ScriptedHost]]:
    """Starts handler processes; each is ended and reaped after the test."""
    hosts: list[ScriptedHost] = []

    def start(**options: Any) -> ScriptedHost:
        host = ScriptedHost(**options)
        hosts.append(host)
        return host

    yield start
    for host in hosts:
        host.close()


@pytest.fixture
def fresh_worker() -> Iterator[None]:
    """No worker, bridge or registry before and after the test."""
    Worker.reset_instance()
    EventBridge.reset_instance()
    logger = logging.getLogger("tasker")
    level = logger.level
    yield
    logger.setLevel(level)
    Worker.reset_instance()
    current.stop(grace_seconds=0.0)
    EventBridge.reset_instance()
