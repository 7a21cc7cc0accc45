"""Fixtures: a fresh registry per test, and a scripted host for runtime tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from host import ScriptedHost
from tasker_core import HandlerRegistry


@pytest.fixture(autouse=True)
def fresh_registry() -> Iterator[None]:
    HandlerRegistry.reset_instance()
    yield
    HandlerRegistry.reset_instance()


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
