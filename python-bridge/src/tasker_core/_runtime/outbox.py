"""Frames on their way to the host.

There is no writer thread and no timer: whoever posts a frame and gets the write lock writes
everything pending, so replies finished meanwhile share one system call.
"""

from __future__ import annotations

import threading

from tasker_core._transport.channel import Channel

# More in one write saves little and lets the host idle.
GATHER_FRAMES = 8


class Outbox:
    """`post` is safe from any thread. Once closed, frames are discarded."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._pending: list[bytes] = []
        self._lock = threading.Lock()
        self.closed = False

    def post(self, frame: bytes) -> None:
        """Queue one frame and write what is pending, unless another thread is already writing."""
        self._pending.append(frame)
        self.flush()

    def add(self, frame: bytes) -> None:
        """Queue a frame for the next `post` or `flush`."""
        self._pending.append(frame)

    def flush_unless_more(self, more: bool) -> None:
        """`flush`, but with `more` coming soon only once a few frames have gathered."""
        pending = self._pending
        if pending and not (more and len(pending) < GATHER_FRAMES):
            self.flush()

    def flush(self) -> None:
        """Write what is pending, unless another thread is already writing it.

        Blocks while the host does not read: then there is no room for more work either.
        """
        pending, lock = self._pending, self._lock
        # Checked again after the release: a frame posted while we held the lock must not stay.
        while pending and lock.acquire(False):
            try:
                self._write_pending()
            finally:
                lock.release()

    def post_last(self, frame: bytes) -> None:
        """Write everything and then `frame`, waiting for a writer at work; close after it.

        Gives up after two seconds, when the host has stopped reading.
        """
        self._pending.append(frame)
        if self._lock.acquire(timeout=2.0):
            try:
                if self._pending:
                    self._write_pending()
            finally:
                self._lock.release()
        self.close()

    def close(self) -> None:
        """Discard everything from now on."""
        self.closed = True
        self._pending.clear()

    def after_fork(self) -> None:
        """In a forked child: forget the frames, and the lock that nobody would release."""
        self._lock = threading.Lock()
        self.close()

    def _write_pending(self) -> None:
        pending = self._pending
        count = len(pending)
        data = pending[0] if count == 1 else b"".join(pending[:count])
        # Only the lock holder removes; others append at the end, so the first `count` are ours.
        del pending[:count]
        if self.closed:
            return
        try:
            self._channel.write(data)
        except OSError:
            # The reader sees the end of the stream and stops the process.
            self.close()
