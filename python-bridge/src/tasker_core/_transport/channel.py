"""A full-duplex byte channel named by TASKER_BRIDGE (BRIDGE section 2).

``fd:3`` is a socket pair inherited from the host, ``stdio`` the process's own streams,
``unix:/path`` and ``tcp:host:port`` are dialled. User code never sees the descriptor: it is
moved to a private close-on-exec number before any handler is imported, and closed in forks.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import sys
from typing import Protocol

RECEIVE_BYTES = 256 * 1024


class Channel(Protocol):
    """What the runtime needs from a carrier. `read` returns b"" at the end of the stream."""

    @property
    def wake_fd(self) -> int:
        """For `signal.set_wakeup_fd`: a byte written here makes a waiting `read` look up.

        The look lets Python run its signal handlers; the read then goes on waiting.
        """
        ...

    def read(self) -> bytes: ...

    def write(self, data: bytes) -> None: ...

    def end(self) -> None:
        """Say that nothing more will be written, and make a waiting `read` return."""
        ...

    def close(self) -> None: ...


class _Gate:
    """Waits until a descriptor can be read, and wakes for signals meanwhile.

    A plain blocking read would sleep through a signal that another thread took, or that came
    between the last look at pending signals and the system call.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._ended = False
        self._poll: select.poll | None = None
        if hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(fd, select.POLLIN)
            self._poll.register(self._wake_reader, select.POLLIN)

    @property
    def wake_fd(self) -> int:
        return self._wake_writer.fileno()

    def wait(self) -> bool:
        """True when there is something to read (or the stream has ended), False after `end`."""
        wake = self._wake_reader.fileno()
        while True:
            if self._poll is None:
                ready = select.select([self._fd, wake], [], [])[0]
            else:
                ready = [fd for fd, _ in self._poll.poll()]
            if self._ended:
                return False
            if wake in ready:
                self._swallow()
            if self._fd in ready:
                return True

    def end(self) -> None:
        self._ended = True
        try:
            self._wake_writer.send(b"\0")
        except OSError:
            return  # full: it wakes anyway; closed: nobody waits

    def close(self) -> None:
        self._wake_reader.close()
        self._wake_writer.close()

    def _swallow(self) -> None:
        try:
            while self._wake_reader.recv(1024):
                pass
        except OSError:
            return


class SocketChannel:
    """A connected stream socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        self._socket = sock
        self._gate = _Gate(sock.fileno())

    @property
    def wake_fd(self) -> int:
        return self._gate.wake_fd

    def read(self) -> bytes:
        try:
            return self._socket.recv(RECEIVE_BYTES) if self._gate.wait() else b""
        except (OSError, ValueError):
            # A reset is the host gone in a hurry: the same to a reader as an orderly end.
            return b""

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def end(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # already gone

    def close(self) -> None:
        self._socket.close()
        self._gate.close()


class PipeChannel:
    """Two one-way descriptors."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._gate = _Gate(read_fd)
        self._is_closed = False

    @property
    def wake_fd(self) -> int:
        return self._gate.wake_fd

    def read(self) -> bytes:
        try:
            return os.read(self._read_fd, RECEIVE_BYTES) if self._gate.wait() else b""
        except (OSError, ValueError):
            return b""

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._write_fd, view) :]

    def end(self) -> None:
        self._gate.end()

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        for fd in {self._read_fd, self._write_fd}:
            try:
                os.close(fd)
            except OSError:
                continue
        self._gate.close()


def open_channel(spec: str) -> Channel:
    """Opens what `spec` (the value of TASKER_BRIDGE) names. Raises ValueError or OSError."""
    kind, _, rest = spec.partition(":")
    if kind == "fd" and rest.isdigit():
        return _from_descriptor(int(rest))
    if spec == "stdio":
        return _from_standard_streams()
    if kind == "unix" and rest:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(rest)
        return SocketChannel(sock)
    if kind == "tcp" and ":" in rest:
        host, _, port = rest.rpartition(":")
        sock = socket.create_connection((host.strip("[]"), int(port)), timeout=5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return SocketChannel(sock)
    raise ValueError(
        f"TASKER_BRIDGE is {spec!r}; expected fd:<n>, stdio, unix:<path> or tcp:<host>:<port>"
    )


def _from_descriptor(fd: int) -> Channel:
    try:
        mode = os.fstat(fd).st_mode
    except OSError as error:
        raise OSError(
            f"TASKER_BRIDGE names descriptor {fd}, which is not open: "
            "was this process started through a wrapper that closes descriptors?"
        ) from error
    private = _move_away(fd)
    if stat.S_ISSOCK(mode):
        return SocketChannel(socket.socket(fileno=private))
    return PipeChannel(private, os.dup(private))


def _from_standard_streams() -> Channel:
    read_fd, write_fd = _duplicate(0), _duplicate(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdin = open(0, closefd=False)
    return PipeChannel(read_fd, write_fd)


def _move_away(fd: int) -> int:
    private = _duplicate(fd)
    os.close(fd)
    return private


def _duplicate(fd: int) -> int:
    if sys.platform == "win32":
        return os.dup(fd)
    import fcntl

    # High enough that a handler counting descriptors from 3 does not meet it.
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64)
