"""One connection to a host: frames in, who is in flight, answers out, drain and goodbye.

Threads: `run` reads and never writes, so a slow host cannot lock both directions; whoever finishes
a delivery writes its answer; one housekeeper sends everything else.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from tasker_core._protocol.frame import Frame, FrameFault, FrameSplitter, encode_message
from tasker_core._protocol.messages import HeaderError, check_header, clip_message, read_header
from tasker_core._runtime.delivery import Delivery
from tasker_core._runtime.event_feed import EventFeed
from tasker_core._runtime.event_lane import EventLane
from tasker_core._runtime.greeting import ProcessOptions, shake_hands
from tasker_core._runtime.housekeeper import Housekeeper
from tasker_core._runtime.log_ring import FLUSH_SECONDS, LogRing
from tasker_core._runtime.outbox import Outbox
from tasker_core._runtime.publications import Publications
from tasker_core._transport.channel import Channel
from tasker_core.domain_events.publisher_registry import PublisherRegistry

EXIT_SECONDS = 5.0
ACK_SECONDS = 5.0
SELF_DRAIN_MS = 25_000
_NACKS_ALLOWED = 10
_NACK_WINDOW_SECONDS = 60.0
# The host may not exceed the slots; a little room keeps a crossing `ready` from being an error.
_EXTRA_DELIVERIES = 256


class Session(ABC):
    """The wire's side of a worker. A subclass says what happens to the steps.

    Call `greet`, then `run` on the thread that shall read, then `say_goodbye`.
    """

    def __init__(self, channel: Channel, options: ProcessOptions) -> None:
        self._channel = channel
        self._options = options
        self._splitter = FrameSplitter(options.max_frame)
        self._outbox = Outbox(channel)
        self._housekeeper = Housekeeper(_report)
        self._logs = LogRing(self._outbox.add, self._flush_logs_later)
        self._max_frame = options.max_frame
        self._feed = EventFeed.instance()
        self._events = EventLane(self._feed, self._outbox.post, self._on_events_idle)
        self._publications = Publications(self._events.submit)
        self._early: list[Frame | FrameFault] = []
        self._in_flight: dict[str, Delivery] = {}
        # Answers the host has not acknowledged: a drain waits for them.
        self._unacked: set[str] = set()
        self._nack_times: deque[float] = deque()
        self._draining = False
        self._exit_code: int | None = None
        self._forked = False

    @abstractmethod
    def _dispatch(self, steps: Sequence[Delivery]) -> None:
        """Start or queue new deliveries. Called on the reading thread; must not block."""

    @abstractmethod
    def _take_back(self) -> list[Delivery]:
        """Deliveries that nobody has started, removed from whatever queue they wait in."""

    def _greet(self, manifest: Callable[[], list[dict[str, Any]]]) -> None:
        """Raises HandshakeError when host and process do not agree."""
        greeting = shake_hands(
            self._channel, self._splitter, self._options, manifest, self._event_fields
        )
        self._max_frame = greeting.max_frame
        self._early = greeting.early
        self._publications.max_frame = greeting.max_frame
        self._housekeeper.start()
        self._feed.on_change = self._subscribe_soon

    def _run(self) -> None:
        """Read until the host says goodbye or goes away, or `drain_soon` has done its work."""
        self._handle(self._early)
        while self._exit_code is None:
            data = self._channel.read()
            if not data:
                break
            self._handle(self._splitter.feed(data))

    def drain_soon(self, reason: str, grace_ms: float = SELF_DRAIN_MS) -> None:
        """Stop taking work and leave when it is done; a second call cancels what still runs.

        Safe in a signal handler.
        """
        self._housekeeper.submit(lambda: self._self_drain(reason, grace_ms))

    # Reading: everything here runs on the main thread and must not write to the channel.

    def _handle(self, frames: list[Frame | FrameFault]) -> None:
        steps: list[Delivery] = []
        for frame in frames:
            if isinstance(frame, FrameFault):
                self._on_fault(frame)
                continue
            try:
                header = read_header(frame.header)
                check_header(header, "handler")
                if header["type"] == "step":
                    steps.append(self._accept(header, frame.body))
                else:
                    if steps:
                        # A cancel may follow its own step within one read.
                        self._dispatch(steps)
                        steps = []
                    self._on_message(header, frame.body)
            except HeaderError as error:
                self._nack(error)
        if steps:
            self._dispatch(steps)

    def _accept(self, header: dict[str, Any], body: bytes) -> Delivery:
        delivery_id = header["delivery_id"]
        if delivery_id in self._in_flight or delivery_id in self._unacked:
            raise HeaderError("duplicate_delivery", "already held", "step", delivery_id)
        if len(self._in_flight) >= self._options.slots + _EXTRA_DELIVERIES:
            raise HeaderError("no_slots", "more steps than slots", "step", delivery_id)
        delivery = Delivery(header, body, self._outbox.post)
        self._in_flight[delivery_id] = delivery
        return delivery

    def _on_message(self, header: dict[str, Any], body: bytes) -> None:
        kind = header["type"]
        if kind == "ack":
            for item in header["items"]:
                self._unacked.discard(item["id"])
                if item["status"] == "committed":
                    self._publications.stored(item["id"], item.get("unpublished") or ())
                else:
                    self._publications.dropped(item["id"])
            if self._draining:
                self._housekeeper.submit(self._leave_if_done)
        elif kind == "notify":
            self._events.receive(header, body)
        elif kind == "cancel":
            self._on_cancel(header)
        elif kind == "ping":
            pong = encode_message({"type": "pong", "n": header["n"]})
            self._housekeeper.submit(lambda: self._outbox.post(pong))
        elif kind == "drain":
            self._housekeeper.submit(lambda: self._begin_drain(header["grace_ms"]))
        elif kind == "bye":
            self._exit_code = 0
        elif kind == "nack":
            logging.getLogger("tasker.bridge").warning(
                "the host refused a %s: %s: %s",
                header["ref_type"],
                header["code"],
                header["detail"],
            )
        elif kind != "pong":
            raise HeaderError("unsupported", f"`{kind}` after the handshake", kind)

    def _on_cancel(self, header: dict[str, Any]) -> None:
        delivery = self._in_flight.get(header["delivery_id"])
        if delivery is not None:
            delivery.cancel(header["reason"])
        elif header["delivery_id"] not in self._unacked:
            # An unacknowledged one has merely crossed its own answer on the wire.
            raise HeaderError("unknown_delivery", "not held", "cancel", header["delivery_id"])

    def _on_fault(self, fault: FrameFault) -> None:
        if fault.kind == "bad_frame":
            print(
                f"tasker-bridge: the channel is out of step ({fault.detail}), "
                f"it starts with {fault.header!r}",
                file=sys.stderr,
                flush=True,
            )
            self._goodbye("bad_frame", fault.detail)
            return
        try:
            header = read_header(fault.header)
        except HeaderError as error:
            self._nack(error)
            return
        ref = header.get("delivery_id")
        ref_id = ref if isinstance(ref, str) else None
        self._nack(HeaderError("too_large", fault.detail, header["type"][:64], ref_id))

    def _nack(self, error: HeaderError) -> None:
        header: dict[str, object] = {
            "type": "nack",
            "ref_type": error.ref_type,
            "code": error.code,
            "detail": clip_message(error.detail),
        }
        if error.ref_id is not None:
            header["ref_id"] = error.ref_id[:64]
        frame = encode_message(header)
        self._housekeeper.submit(lambda: self._outbox.post(frame))
        now = time.monotonic()
        times = self._nack_times
        times.append(now)
        while now - times[0] > _NACK_WINDOW_SECONDS:
            times.popleft()
        if len(times) >= _NACKS_ALLOWED:
            self._goodbye("protocol_error", f"{len(times)} bad messages within a minute")

    def _goodbye(self, code: str, reason: str) -> None:
        if self._exit_code is None:
            self._exit_code = 1
            bye = encode_message({"type": "bye", "reason": clip_message(reason), "code": code})
            self._housekeeper.submit(lambda: self._outbox.post_last(bye))

    # Answering: any thread.

    def _finish(self, delivery: Delivery, frame: bytes) -> None:
        if self._forked:
            # A child forked by the handler came back here instead of ending by itself.
            os._exit(0)
        # Whoever removes it from here answers: exactly one terminal message per delivery.
        if self._in_flight.pop(delivery.id, None) is None:
            return
        self._unacked.add(delivery.id)
        if self._logs.dirty:
            self._logs.flush()
        # The thread pool and the event loop lane write it, with what else is finished by then.
        self._outbox.add(frame)
        if self._draining:
            self._housekeeper.submit(self._leave_if_done)

    def _flush_logs_later(self) -> None:
        self._housekeeper.later(FLUSH_SECONDS, self._flush_logs)

    def _flush_logs(self) -> None:
        self._logs.flush()
        self._outbox.flush()

    # Draining: housekeeper thread.

    def _self_drain(self, reason: str, grace_ms: float) -> None:
        if self._draining:
            self._cancel_all("shutdown")
            return
        self._outbox.add(encode_message({"type": "drain", "grace_ms": grace_ms, "reason": reason}))
        self._begin_drain(grace_ms)

    def _begin_drain(self, grace_ms: float) -> None:
        if self._draining:
            return
        self._draining = True
        self._outbox.post(encode_message({"type": "ready", "pools": {self._options.pool: 0}}))
        self._housekeeper.later(grace_ms / 1000, self._hurry)
        self._leave_if_done()

    def _hurry(self) -> None:
        self._cancel_all("shutdown")
        self._housekeeper.later(EXIT_SECONDS, lambda: self._leave("drain ran out of time"))

    def _leave_if_done(self) -> None:
        if self._in_flight:
            return
        if not self._events.is_idle:
            # A process that is replaced must not lose what it was sent; one that hangs must go.
            self._housekeeper.later(ACK_SECONDS, self._leave_without_acks)
            return
        if self._unacked:
            # Acks normally follow at once; a host that forgets them must not keep us here.
            self._housekeeper.later(ACK_SECONDS, self._leave_without_acks)
            return
        self._leave("drained")

    def _leave_without_acks(self) -> None:
        if not self._in_flight:
            self._leave("drained without all acks")

    def _leave(self, reason: str) -> None:
        if self._exit_code is None:
            self._logs.flush()
            self._outbox.post_last(encode_message({"type": "bye", "reason": reason}))
            self._exit_code = 0
            # Wakes the reader, which then ends the process.
            self._channel.end()

    # Events

    def _event_fields(self) -> dict[str, Any]:
        publishers = PublisherRegistry.instance().list_publishers()
        return {**self._feed.interest(), "publishers": publishers[:256]}

    def _subscribe_soon(self) -> None:
        self._housekeeper.submit(
            lambda: self._outbox.post(
                encode_message({"type": "subscribe", **self._feed.interest()})
            )
        )

    def _on_events_idle(self) -> None:
        if self._draining:
            self._housekeeper.submit(self._leave_if_done)

    # Ending

    def _cancel_all(self, reason: str) -> None:
        for delivery in list(self._in_flight.values()):
            delivery.cancel(reason)

    def _wind_up(self, patience_seconds: float) -> bool:
        """Cancel everything and wait for what runs. True when nothing runs any more."""
        # A session that replaces this one may have taken the place already.
        if self._feed.on_change == self._subscribe_soon:
            self._feed.on_change = None
        self._events.close()
        for delivery in self._take_back():
            # Never started: the host gives it to another process.
            self._in_flight.pop(delivery.id, None)
        self._cancel_all("shutdown")
        done = threading.Event()
        # Behind whatever the housekeeper still has to say.
        self._housekeeper.submit(done.set)
        done.wait(3.0)
        self._outbox.close()
        deadline = time.monotonic() + patience_seconds
        while self._in_flight and time.monotonic() < deadline:
            time.sleep(0.02)
        return not self._in_flight

    def _after_fork(self) -> None:
        self._forked = True
        self._outbox.after_fork()
        self._logs.after_fork()
        self._channel.close()


def _report(error: BaseException) -> None:
    print(f"tasker-bridge: a chore failed: {error!r}", file=sys.stderr, flush=True)
