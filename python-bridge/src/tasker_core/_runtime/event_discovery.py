"""Subscribers and publishers that handler files define."""

from __future__ import annotations

import inspect
import logging
from types import ModuleType
from typing import Any, cast

from tasker_core.domain_events.publisher import BasePublisher
from tasker_core.domain_events.publisher_registry import PublisherRegistry
from tasker_core.domain_events.subscriber import BaseSubscriber
from tasker_core.domain_events.subscriber_registry import SubscriberRegistry
from tasker_core.events import EventSubscriber, subscribe

_log = logging.getLogger("tasker.discovery")


def register_events(module: ModuleType) -> None:
    """Subscribe and register the classes that the module defines itself.

    A class that cannot be made without arguments is left to the file, which registers an object.
    """
    for value in list(vars(module).values()):
        if not isinstance(value, type) or inspect.isabstract(value):
            continue
        if value.__module__ != module.__name__:
            continue
        try:
            _register(cast("type[Any]", value))
        except Exception:
            _log.warning("%s of %s was skipped", value.__qualname__, module.__name__, exc_info=True)


def _register(found: type[Any]) -> None:
    if issubclass(found, EventSubscriber):
        subscribe(found)
    elif issubclass(found, BaseSubscriber):
        registry = SubscriberRegistry.instance()
        if not registry.has(found):
            registry.register_instance(found())
    elif issubclass(found, BasePublisher):
        publisher = found()
        publishers = PublisherRegistry.instance()
        if publishers.get(publisher.publisher_name) is None:
            publishers.register(publisher)
