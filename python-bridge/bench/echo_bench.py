"""Echo steps through one handler process over a socket pair, no database.

    PYTHONPATH=src python3 bench/echo_bench.py [--slots 64] [--steps 100000] [--bytes 300]

Prints steps per second with `slots` in flight, and the round trip with one in flight. Worrying
below 15 000 steps/s at 300 B on two cores (BRIDGE section 15 asks for 10 000).
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
UUID = "01890a5d-ac96-774b-bcce-b302099a8057"


def frame(header: dict[str, object], body: bytes = b"") -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack(">II", 4 + len(text) + len(body), len(text)) + text + body


class Peer:
    """The host's side of one handler process."""

    def __init__(self, arguments: list[str], env: dict[str, str] | None = None) -> None:
        self.sock, theirs = socket.socketpair()
        move = "import os,sys;os.dup2(int(sys.argv[1]),3);os.execvp(sys.argv[2],sys.argv[2:])"
        self.child = subprocess.Popen(
            [sys.executable, "-c", move, str(theirs.fileno()), sys.executable, *arguments],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "TASKER_BRIDGE": "fd:3", **(env or {})},
        )
        theirs.close()
        self.buffer = b""

    def read_frames(self) -> list[tuple[bytes, bytes]]:
        data = self.sock.recv(1 << 20)
        if not data:
            raise EOFError
        buffer = self.buffer + data
        offset, found = 0, []
        while len(buffer) - offset >= 8:
            length, header_length = struct.unpack_from(">II", buffer, offset)
            if len(buffer) - offset < 4 + length:
                break
            middle = offset + 8 + header_length
            found.append((buffer[offset + 8 : middle], buffer[middle : offset + 4 + length]))
            offset += 4 + length
        self.buffer = buffer[offset:]
        return found

    def handshake(self) -> dict[str, object]:
        self.sock.sendall(
            frame(
                {
                    "type": "challenge",
                    "protocols": [1],
                    "features": [],
                    "host_id": "bench",
                    "nonce": "0" * 32,
                    "auth": "none",
                    "max_frame": 16777216,
                }
            )
        )
        frames: list[tuple[bytes, bytes]] = []
        while not frames:
            frames = self.read_frames()
        self.sock.sendall(
            frame(
                {
                    "type": "welcome",
                    "protocol": 1,
                    "features": [],
                    "connection_id": "c",
                    "max_frame": 16777216,
                    "ping_ms": 5000,
                    "lease_ms": 30000,
                    "resume_ms": 0,
                }
            )
        )
        return json.loads(frames[0][0])


def step_parts(callable_name: str, size: int) -> tuple[bytes, bytes, bytes]:
    body = json.dumps(
        {
            "task": {"task": {"context": {"text": "x" * max(0, size - 180)}}, "task_name": "t"},
            "workflow_step": {"attempts": 0, "max_attempts": 3, "inputs": None},
            "dependency_results": {},
            "step_definition": {"handler": {"callable": callable_name, "initialization": {}}},
        },
        separators=(",", ":"),
    ).encode()
    head = json.dumps(
        {
            "type": "step",
            "delivery_id": "@",
            "task_uuid": UUID,
            "step_uuid": UUID,
            "correlation_id": UUID,
            "callable": callable_name,
            "pool": "default",
            "attempt": 1,
            "max_attempts": 3,
            "timeout_ms": 30000,
            "lease_ms": 30000,
        },
        separators=(",", ":"),
    ).encode()
    before, after = head.split(b"@")
    return before, after, body


def run(
    peer: Peer, callable_name: str, size: int, slots: int, steps: int
) -> tuple[float, list[float]]:
    before, after, body = step_parts(callable_name, size)
    length = len(before) + 10 + len(after)
    prefix = struct.pack(">II", 4 + length + len(body), length) + before
    suffix = after + body
    run.serial += 1
    sent = done = 0
    waits: list[float] = []
    start = time.perf_counter()
    acks: list[bytes] = []
    while done < steps:
        room = min(slots - (sent - done), steps - sent)
        out = b"".join(
            b"%s%02d%08d%s" % (prefix, run.serial % 100, sent + i, suffix) for i in range(room)
        )
        sent += room
        if acks:
            items = b",".join(b'{"id":%s,"kind":"result","status":"committed"}' % i for i in acks)
            head = b'{"type":"ack","items":[' + items + b"]}"
            out += struct.pack(">II", 4 + len(head), len(head)) + head
            acks = []
        at = time.perf_counter()
        peer.sock.sendall(out)
        for header, _ in peer.read_frames():
            if header.startswith(b'{"type":"result"'):
                acks.append(header.split(b'"delivery_id":')[1].split(b",")[0])
                done += 1
            elif not header.startswith(b'{"type":"log"'):
                raise RuntimeError(header)
        if slots == 1:
            waits.append(time.perf_counter() - at)
    return steps / (time.perf_counter() - start), waits


run.serial = 0


def child_cpu_seconds(pid: int) -> float:
    """User and system time of a process (Linux), 0 elsewhere."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--steps", type=int, default=60_000)
    parser.add_argument("--bytes", type=int, default=300)
    parser.add_argument("--callable", default="reference.echo")
    options = parser.parse_args()
    handlers = HERE.parent / "examples" / "reference_handlers"
    began = time.perf_counter()
    peer = Peer(
        ["-m", "tasker_core.bridge", "--handlers", str(handlers), "--slots", str(options.slots)]
    )
    try:
        peer.handshake()
        print(f"spawn to hello: {(time.perf_counter() - began) * 1000:.0f} ms")
        run(peer, options.callable, options.bytes, options.slots, 3_000)
        for _ in range(3):
            cpu = child_cpu_seconds(peer.child.pid)
            rate, _ = run(peer, options.callable, options.bytes, options.slots, options.steps)
            each = (child_cpu_seconds(peer.child.pid) - cpu) / options.steps * 1e6
            print(
                f"{options.bytes} B, {options.slots} slots: {rate:,.0f} steps/s, "
                f"{each:.1f} us of handler CPU per step"
            )
        _, waits = run(peer, options.callable, options.bytes, 1, 5_000)
        waits.sort()
        print(
            f"round trip, 1 in flight: p50 {waits[len(waits) // 2] * 1e6:.0f} us, "
            f"p99 {waits[len(waits) * 99 // 100] * 1e6:.0f} us"
        )
    finally:
        peer.sock.close()
        print("exit code", peer.child.wait(10))


if __name__ == "__main__":
    main()
