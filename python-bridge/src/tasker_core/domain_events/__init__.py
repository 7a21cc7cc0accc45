"""Domain events: publishers that decide what an event says, subscribers that get it.

What a template declares under `publishes_events` is published by the Tasker core; a publisher
named there only shapes the event. Subscribers get events whose `delivery_mode` is ``fast`` or
``broadcast``.
"""

from tasker_core.domain_events._types import (
    EventDeclaration,
    PublishContext,
    StepEventContext,
    StepResult,
)
from tasker_core.domain_events.poller import InProcessDomainEventPoller, poll_in_process_events
from tasker_core.domain_events.publisher import BasePublisher, DefaultPublisher
from tasker_core.domain_events.publisher_registry import PublisherRegistry
from tasker_core.domain_events.subscriber import BaseSubscriber
from tasker_core.domain_events.subscriber_registry import SubscriberRegistry

__all__ = [
    "BasePublisher",
    "BaseSubscriber",
    "DefaultPublisher",
    "EventDeclaration",
    "InProcessDomainEventPoller",
    "PublishContext",
    "PublisherRegistry",
    "StepEventContext",
    "StepResult",
    "SubscriberRegistry",
    "poll_in_process_events",
]
