"""Writes the domain events that this process sees to a file of its language, a line each."""

import os

from tasker_core.domain_events import BaseSubscriber


class EventLog(BaseSubscriber):
    @classmethod
    def subscribes_to(cls):
        return ["*"]

    def handle(self, event):
        with open(f"{os.environ['SHAPES_EVENTS']}.python", "a") as file:
            file.write(f"{event['metadata']['task_uuid']} {event['event_name']}\n")
