"""The handshake on a fresh channel: `challenge`, `hello`, `welcome` (BRIDGE section 3)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tasker_core._protocol.frame import (
    DEFAULT_MAX_FRAME,
    Frame,
    FrameFault,
    FrameSplitter,
    encode_message,
)
from tasker_core._protocol.handshake import (
    HANDSHAKE_SECONDS,
    HandshakeError,
    check_welcome,
    hello_header,
)
from tasker_core._protocol.json_text import dumps
from tasker_core._protocol.messages import HeaderError, check_header, read_header
from tasker_core._transport.channel import Channel


@dataclass(frozen=True)
class ProcessOptions:
    """How a handler process introduces itself and how much it takes."""

    slots: int
    pool: str
    worker_id: str
    token: str | None = None
    max_frame: int = DEFAULT_MAX_FRAME


@dataclass(frozen=True)
class Greeting:
    """What the host decided, and the frames that came right behind its `welcome`."""

    welcome: dict[str, Any]
    max_frame: int
    early: list[Frame | FrameFault]


def shake_hands(
    channel: Channel,
    splitter: FrameSplitter,
    options: ProcessOptions,
    manifest: Callable[[], list[dict[str, Any]]],
    events: Callable[[], dict[str, Any]],
) -> Greeting:
    """Introduce this process: `events` are the fields of `hello` about them.

    Raises HandshakeError when the two do not agree within 5 s.
    """
    late = threading.Event()

    def give_up() -> None:
        late.set()
        channel.end()

    alarm = threading.Timer(HANDSHAKE_SECONDS, give_up)
    alarm.daemon = True
    alarm.start()
    try:
        return _exchange(channel, splitter, options, manifest, events)
    except (HandshakeError, OSError) as error:
        if late.is_set():
            raise HandshakeError(
                f"no handshake within {HANDSHAKE_SECONDS:g} s; "
                "this program is started by a Tasker worker, not by hand"
            ) from error
        raise
    finally:
        alarm.cancel()


def _exchange(
    channel: Channel,
    splitter: FrameSplitter,
    options: ProcessOptions,
    manifest: Callable[[], list[dict[str, Any]]],
    events: Callable[[], dict[str, Any]],
) -> Greeting:
    frames: deque[Frame | FrameFault] = deque()
    challenge = _await_message(channel, splitter, frames, "challenge")
    hello = hello_header(
        challenge,
        worker_id=options.worker_id,
        max_frame=options.max_frame,
        pools=[{"name": options.pool, "slots": options.slots}],
        token=options.token,
    )
    channel.write(encode_message({**hello, **events()}, dumps(manifest())))
    welcome = _await_message(channel, splitter, frames, "welcome")
    check_welcome(welcome, challenge, hello, options.token)
    max_frame = min(options.max_frame, welcome["max_frame"])
    splitter.max_frame = max_frame
    return Greeting(welcome, max_frame, list(frames))


def _await_message(
    channel: Channel, splitter: FrameSplitter, frames: deque[Frame | FrameFault], wanted: str
) -> dict[str, Any]:
    while not frames:
        data = channel.read()
        if not data:
            raise HandshakeError(f"the host closed the channel before its `{wanted}`")
        frames.extend(splitter.feed(data))
    frame = frames.popleft()
    if isinstance(frame, FrameFault):
        raise HandshakeError(f"expected `{wanted}`, got a broken frame: {frame.detail}")
    try:
        header = read_header(frame.header)
        check_header(header, "handler")
    except HeaderError as error:
        raise HandshakeError(f"expected `{wanted}`: {error.detail}") from error
    if header["type"] == "reject":
        raise HandshakeError(
            f"the host refused this process: {header['code']}: {header['message']}"
        )
    if header["type"] != wanted:
        raise HandshakeError(f"expected `{wanted}`, got `{header['type']}`")
    return header
