"""The host's side of the wire, scripted: real process, real socket pair on descriptor 3."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from tasker_core._protocol.frame import Frame, FrameSplitter, encode_message
from tasker_core._protocol.messages import check_header, read_header

ROOT = Path(__file__).resolve().parents[1]
VECTORS = ROOT.parent / "test" / "conformance" / "bridge"
REFERENCE = ROOT / "examples" / "reference_handlers"
PATIENCE_SECONDS = 20.0
TASK = "01890a5d-ac96-774b-bcce-b302099a8057"


class ScriptedHost:
    """Starts one handler process and speaks to it message by message."""

    def __init__(
        self,
        handlers: Path = REFERENCE,
        *,
        arguments: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        handshake: bool = True,
        max_frame: int = 16 * 1024 * 1024,
    ) -> None:
        self.sock, theirs = socket.socketpair()
        self.splitter = FrameSplitter()
        self.inbox: list[tuple[dict[str, Any], bytes]] = []
        self.hello: dict[str, Any] = {}
        self.handlers: list[dict[str, Any]] = []

        def give_descriptor_3() -> None:
            os.dup2(theirs.fileno(), 3)
            os.set_inheritable(3, True)

        self.process = subprocess.Popen(
            [sys.executable, "-m", "tasker_core.bridge", "--handlers", str(handlers), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            close_fds=False,
            preexec_fn=give_descriptor_3,
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / "src"),
                "TASKER_BRIDGE": "fd:3",
                **(env or {}),
            },
        )
        theirs.close()
        if handshake:
            self.shake_hands(max_frame)

    def shake_hands(self, max_frame: int = 16 * 1024 * 1024) -> None:
        self.send(challenge(max_frame))
        self.hello, body = self.expect("hello")
        self.handlers = json.loads(body)
        self.send(welcome(max_frame))

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        self.sock.sendall(encode_message(header, body))

    def step(self, callable_name: str, context: dict[str, Any] | None = None, **header: Any) -> str:
        """Dispatch one step and return its delivery id."""
        delivery_id = str(uuid.uuid4())
        self.send(
            {**step_header(callable_name, delivery_id), **header},
            json.dumps(step_body(callable_name, context or {})).encode(),
        )
        return delivery_id

    def read(self) -> tuple[dict[str, Any], bytes]:
        """The next message. Raises EOFError at the end of the channel."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.inbox:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise TimeoutError("no message from the handler process")
            try:
                data = self.sock.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                raise EOFError
            for frame in self.splitter.feed(data):
                assert isinstance(frame, Frame), frame
                header = read_header(frame.header)
                check_header(header, "host")
                self.inbox.append((header, frame.body))
        return self.inbox.pop(0)

    def expect(self, kind: str) -> tuple[dict[str, Any], bytes]:
        """The next message, which must be of this type."""
        header, body = self.read()
        assert header["type"] == kind, (header, body)
        return header, body

    def answer(self, delivery_id: str) -> tuple[dict[str, Any], bytes]:
        """The next terminal message for a delivery, passing over everything else."""
        while True:
            header, body = self.read()
            if header["type"] in ("result", "error", "checkpoint"):
                assert header["delivery_id"] == delivery_id, header
                return header, body

    def ack(self, header: dict[str, Any]) -> None:
        item = {"id": header["delivery_id"], "kind": header["type"], "status": "committed"}
        self.send({"type": "ack", "items": [item]})

    def run(
        self, callable_name: str, context: dict[str, Any] | None = None, **header: Any
    ) -> tuple[dict[str, Any], Any, dict[str, Any]]:
        """Dispatch, await and acknowledge: header, value, detail."""
        answer, body = self.answer(self.step(callable_name, context, **header))
        self.ack(answer)
        split = answer.get("split", len(body))
        value = json.loads(body[:split]) if split else None
        return answer, value, json.loads(body[split:] or b"{}")

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(PATIENCE_SECONDS)

    def output(self) -> tuple[str, str]:
        """Standard output and error, once the process has ended."""
        out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        return out.decode(errors="replace"), err.decode(errors="replace")

    def close(self) -> None:
        self.sock.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def challenge(max_frame: int = 16 * 1024 * 1024, **changes: Any) -> dict[str, Any]:
    return {
        "type": "challenge",
        "protocols": [1],
        "features": [],
        "host_id": "test",
        "nonce": "00112233445566778899aabbccddeeff",
        "auth": "none",
        "max_frame": max_frame,
        **changes,
    }


def welcome(max_frame: int = 16 * 1024 * 1024, **changes: Any) -> dict[str, Any]:
    return {
        "type": "welcome",
        "protocol": 1,
        "features": [],
        "connection_id": "c1",
        "max_frame": max_frame,
        "ping_ms": 5000,
        "lease_ms": 30000,
        "resume_ms": 0,
        **changes,
    }


def step_header(callable_name: str, delivery_id: str) -> dict[str, Any]:
    return {
        "type": "step",
        "delivery_id": delivery_id,
        "task_uuid": TASK,
        "step_uuid": TASK,
        "correlation_id": TASK,
        "callable": callable_name,
        "pool": "default",
        "attempt": 1,
        "max_attempts": 3,
        "timeout_ms": 30000,
        "lease_ms": 30000,
    }


def step_body(callable_name: str, context: dict[str, Any]) -> dict[str, Any]:
    return {
        "task": {
            "task": {"task_uuid": TASK, "context": context},
            "task_name": "t",
            "task_version": "1.0.0",
            "namespace_name": "default",
        },
        "workflow_step": {
            "workflow_step_uuid": TASK,
            "name": "s",
            "attempts": None,
            "max_attempts": 3,
            "inputs": None,
            "checkpoint": None,
        },
        "dependency_results": {"earlier": {"success": True, "result": {"n": 3}}},
        "step_definition": {"name": "s", "handler": {"callable": callable_name}},
    }
