"""Fixtures for projects that test handlers; pytest finds them when this package is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tasker_core import HandlerRegistry, StepContext, StepHandlerResult
    from tasker_core.testing import StepControl

# Everything is imported late: runs that use no fixture pay nothing.


@pytest.fixture
def tasker_reset() -> Iterator[None]:
    """Every singleton is new in this test and forgotten after it."""
    from tasker_core.testing import reset_singletons

    reset_singletons()
    yield
    reset_singletons()


@pytest.fixture
def tasker_registry(tasker_reset: None) -> HandlerRegistry:
    """A handler registry with nothing in it."""
    from tasker_core import HandlerRegistry

    return HandlerRegistry.instance(skip_bootstrap=True)


@pytest.fixture
def step_control() -> StepControl:
    """Cancels the step of `run_step(..., control=step_control)` and keeps its heartbeats."""
    from tasker_core.testing import StepControl

    return StepControl()


@pytest.fixture
def run_step() -> Callable[..., StepHandlerResult]:
    """`tasker_core.testing.run_handler`"""
    from tasker_core.testing import run_handler

    return run_handler


@pytest.fixture
def make_step_context() -> Callable[..., StepContext]:
    """`tasker_core.testing.step_context`"""
    from tasker_core.testing import step_context

    def make(*arguments: Any, **options: Any) -> StepContext:
        return step_context(*arguments, **options)

    return make
