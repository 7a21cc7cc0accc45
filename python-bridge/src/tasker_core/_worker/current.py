"""The one worker of this process: how it finds its host, connects, and ends.

TASKER_BRIDGE decides: a channel inherited from the host that started this process, or an address
to join. Without it a `tasker worker` is started for this process. The handshake names the
registered handlers, so it waits for the first poll.
"""

from __future__ import annotations

import atexit
import logging
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from tasker_core._protocol.handshake import HandshakeError
from tasker_core._runtime.greeting import ProcessOptions
from tasker_core._runtime.log_ring import level_number
from tasker_core._runtime.manifest import manifest
from tasker_core._transport.channel import Channel, open_channel
from tasker_core._worker.host_process import HostProcess
from tasker_core._worker.pull_session import PullSession
from tasker_core.exceptions import (
    FFIError,
    WorkerAlreadyRunningError,
    WorkerBootstrapError,
    WorkerNotInitializedError,
)
from tasker_core.handler import HandlerRegistry, environment
from tasker_core.types.worker import BootstrapConfig, WorkerState

DEFAULT_SLOTS = 16
STOP_GRACE_SECONDS = 25.0
_FIRST_REDIAL_SECONDS = 0.1
_LAST_REDIAL_SECONDS = 5.0


class WorkerRuntime:
    """A started worker. `connect` may be called by several threads; one of them dials."""

    def __init__(self, config: BootstrapConfig) -> None:
        self.config = config
        self.worker_id = config.worker_id or f"python-worker-{uuid.uuid4()}"
        self.handle_id = str(uuid.uuid4())
        self.slots = _slots()
        self.state = WorkerState.STARTING
        self.error: str | None = None
        self.host: HostProcess | None = None
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._session: PullSession | None = None
        self._inherited: Channel | None = None
        self._address: str | None = None
        self._token_file: Path | None = None
        self._redial_at = 0.0
        self._redial_seconds = _FIRST_REDIAL_SECONDS

    def start(self) -> None:
        """Make sure there is a host. Raises WorkerBootstrapError."""
        spec = os.environ.get("TASKER_BRIDGE")
        token = os.environ.get("TASKER_BRIDGE_TOKEN_FILE")
        try:
            if spec is None:
                self.host = HostProcess(self.config)
                self.host.start()
                self._address, self._token_file = self.host.address, self.host.token_file
            elif spec.startswith(("unix:", "tcp:")):
                self._address, self._token_file = spec, Path(token) if token else None
                # Wrong addresses are told here rather than by the first poll.
                open_channel(spec).close()
            else:
                # Taken at once: no handler module may see the descriptor.
                del os.environ["TASKER_BRIDGE"]
                self._inherited = open_channel(spec)
                self._token_file = Path(token) if token else None
        except (OSError, ValueError) as error:
            raise WorkerBootstrapError(f"cannot reach the host: {error}") from error
        logger = logging.getLogger("tasker")
        if logger.level == logging.NOTSET:
            # Records travel to the host; a program that wants another level has set it.
            logger.setLevel(level_number(self.config.log_level))
        self.state = WorkerState.RUNNING

    @property
    def is_running(self) -> bool:
        return os.getpid() == self._pid and self.state in (
            WorkerState.RUNNING,
            WorkerState.SHUTTING_DOWN,
        )

    @property
    def session(self) -> PullSession | None:
        """The connection, once there is one."""
        return self._session

    def connect(self) -> PullSession:
        """The connection to the host, made on first use.

        A lost connection to a socket is dialled again, with pauses. Raises FFIError.
        """
        session = self._session
        if session is not None and (session.is_connected or self.state is not WorkerState.RUNNING):
            return session
        with self._lock:
            session = self._session
            if session is not None and session.is_connected:
                return session
            if self.state is not WorkerState.RUNNING:
                raise FFIError("the worker is shutting down")
            if time.monotonic() < self._redial_at:
                raise FFIError(self.error or "the connection to the host is lost")
            try:
                self._session = self._dial(session)
            except (HandshakeError, OSError) as error:
                self._redial_at = time.monotonic() + self._redial_seconds
                self._redial_seconds = min(2 * self._redial_seconds, _LAST_REDIAL_SECONDS)
                self.error = f"cannot connect to the host: {error}"
                raise FFIError(self.error) from error
            self.error = None
            self._redial_seconds = _FIRST_REDIAL_SECONDS
            return self._session

    def drain(self) -> None:
        """Take no new steps; those in flight may finish."""
        self.state = WorkerState.SHUTTING_DOWN
        if self._session is not None:
            self._session.drain_soon("graceful shutdown")

    def stop(self, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
        """Drain, disconnect, and stop the host that was started for this worker."""
        self.state = WorkerState.SHUTTING_DOWN
        with self._lock:
            session = self._session
            inherited, self._inherited = self._inherited, None
        if session is not None:
            # Still the connection meanwhile: what runs is completed over it.
            session.close(grace_seconds)
            self._session = None
        if inherited is not None:
            inherited.close()
        if self.host is not None:
            self.host.stop()
        self.state = WorkerState.STOPPED

    def _dial(self, lost: PullSession | None) -> PullSession:
        if lost is not None:
            lost.close(0.0)
        channel = self._open()
        try:
            options = ProcessOptions(self.slots, "default", self.worker_id, self._token())
            session = PullSession(channel, options)
            registry = HandlerRegistry.instance()
            session.connect(lambda: manifest(registry, "default"))
            return session
        except BaseException:
            channel.close()
            raise

    def _open(self) -> Channel:
        if self._address is not None:
            if self.host is not None and not self.host.is_alive():
                raise OSError("the host that was started for this process has ended")
            return open_channel(self._address)
        channel, self._inherited = self._inherited, None
        if channel is None:
            self.state = WorkerState.ERROR
            raise OSError("the host that started this process closed the channel")
        return channel

    def _token(self) -> str | None:
        file = self._token_file
        return None if file is None else file.read_text(encoding="utf-8").strip()


_guard = threading.Lock()
_current: WorkerRuntime | None = None


def bootstrap(config: BootstrapConfig) -> WorkerRuntime:
    """Start the worker of this process.

    Raises WorkerAlreadyRunningError, carrying the running one, and WorkerBootstrapError.
    """
    global _current
    with _guard:
        if _current is not None and _current.is_running:
            raise WorkerAlreadyRunningError(f"worker {_current.worker_id} runs in this process")
        runtime = WorkerRuntime(config)
        runtime.start()
        _current = runtime
    atexit.register(_stop_at_exit)
    return runtime


def current() -> WorkerRuntime:
    """Raises WorkerNotInitializedError when no worker runs in this process."""
    runtime = _current
    if runtime is None or not runtime.is_running:
        raise WorkerNotInitializedError(
            "no worker runs in this process: call bootstrap_worker() or Worker.start() first"
        )
    return runtime


def last() -> WorkerRuntime | None:
    """The worker that runs, or the one that ran last."""
    return _current


def stop(grace_seconds: float = STOP_GRACE_SECONDS) -> WorkerRuntime | None:
    """Stop the running worker and return it; None when none runs."""
    with _guard:
        runtime = _current
        if runtime is None or not runtime.is_running:
            return None
        runtime.stop(grace_seconds)
        return runtime


def describe() -> dict[str, Any]:
    """Facts for health checks."""
    return {"pid": os.getpid(), "hostname": socket.gethostname(), "environment": environment()}


def _stop_at_exit() -> None:
    # The program is over: what still runs on daemon threads cannot finish any more.
    stop(0.0)


def _slots() -> int:
    text = os.environ.get("TASKER_WORKER_SLOTS") or str(DEFAULT_SLOTS)
    if not text.isdigit() or int(text) < 1:
        raise WorkerBootstrapError(
            f"TASKER_WORKER_SLOTS is {text!r}; expected how many steps run at once, 1 or more"
        )
    return int(text)
