"""A stand-in for `tasker worker --json --join unix:<path> --join-token <file>`.

The script HOST_SCRIPT is a JSON list of steps, each ``{"callable", "context", ...}``. They are
dispatched one after the other; what comes back is written to HOST_RECORD, one JSON object per
line. It ends at SIGTERM.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]

from host import challenge, step_body, step_header, welcome  # noqa: E402
from tasker_core._protocol.frame import Frame, FrameSplitter, encode_message  # noqa: E402
from tasker_core._protocol.handshake import proof, proof_matches  # noqa: E402
from tasker_core._protocol.messages import check_header, read_header  # noqa: E402


class Double:
    def __init__(self, path: str, token: str, record: Path) -> None:
        self.token = token
        self.listener = socket.socket(socket.AF_UNIX)
        self.conversations: list[threading.Thread] = []
        self.listener.bind(path)
        os.chmod(path, 0o600)
        self.listener.listen(8)
        self.record = record

    def serve(self) -> None:
        while True:
            sock, _ = self.listener.accept()
            conversation = threading.Thread(target=self.converse, args=(sock,), daemon=True)
            self.conversations.append(conversation)
            conversation.start()

    def write(self, entry: dict[str, Any]) -> None:
        with self.record.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def converse(self, sock: socket.socket) -> None:
        asked = challenge(auth="hmac", nonce=uuid.uuid4().hex)
        splitter, inbox = FrameSplitter(), []

        def send(header: dict[str, Any], body: bytes = b"") -> None:
            sock.sendall(encode_message(header, body))

        def read() -> tuple[dict[str, Any], bytes]:
            while not inbox:
                data = sock.recv(1 << 18)
                if not data:
                    raise EOFError
                inbox.extend(splitter.feed(data))
            frame = inbox.pop(0)
            assert isinstance(frame, Frame), frame
            header = read_header(frame.header)
            check_header(header, "host")
            return header, frame.body

        try:
            send(asked)
            hello, body = read()
            expected = proof("handler", self.token, asked["nonce"], hello["nonce"])
            if not proof_matches(expected, hello.get("proof")):
                send({"type": "reject", "code": "auth", "message": "the proof is wrong"})
                sock.close()
                return
            own = proof("host", self.token, hello["nonce"], asked["nonce"])
            send(welcome(proof=own))
            self.write({"type": "hello", "header": hello, "handlers": json.loads(body)})
            script = json.loads(os.environ.get("HOST_SCRIPT", "[]"))
            pending: dict[str, dict[str, Any]] = {}
            for step in script:
                delivery = str(uuid.uuid4())
                pending[delivery] = step
                content = step_body(step["callable"], step.get("context") or {})
                content["workflow_step"].update(step.get("workflow_step") or {})
                content["step_definition"]["handler"].update(step.get("handler") or {})
                header = {**step_header(step["callable"], delivery), **step.get("header", {})}
                send(header, json.dumps(content).encode())
                if "cancel" in step:
                    reason = step["cancel"]
                    time.sleep(0.3)
                    send(
                        {"type": "cancel", "delivery_id": delivery, "reason": reason, "grace_ms": 0}
                    )
                if step.get("alone"):
                    while delivery in pending:
                        self.take(read(), pending, send)
                if step.get("hang_up"):
                    sock.close()
                    os.environ["HOST_SCRIPT"] = json.dumps(step["hang_up"])
                    return
            while True:
                self.take(read(), pending, send)
        except (EOFError, OSError):
            self.write({"type": "gone"})

    def take(self, message: Any, pending: dict[str, dict[str, Any]], send: Any) -> None:
        header, body = message
        split = header.get("split", len(body))
        entry = {"type": header["type"], "header": header}
        if header["type"] in ("result", "error", "checkpoint"):
            step = pending.pop(header["delivery_id"], None)
            entry["callable"] = step and step["callable"]
            entry["value"] = json.loads(body[:split]) if split else None
            entry["detail"] = json.loads(body[split:] or b"{}")
            item = {"id": header["delivery_id"], "kind": header["type"], "status": "committed"}
            send({"type": "ack", "items": [item]})
        elif body:
            entry["value"] = json.loads(body)
        self.write(entry)


def main(arguments: list[str]) -> None:
    record = Path(os.environ["HOST_RECORD"])
    if os.environ.get("HOST_FAILS"):
        print(json.dumps({"error": {"code": "X", "message": os.environ["HOST_FAILS"]}}), flush=True)
        sys.exit(3)
    address = arguments[arguments.index("--join") + 1]
    token = Path(arguments[arguments.index("--join-token") + 1])
    assert token.stat().st_mode & 0o077 == 0
    double = Double(address.removeprefix("unix:"), token.read_text().strip(), record)
    double.write({"type": "started", "arguments": arguments, "pid": os.getpid()})

    def stop(*_: object) -> None:
        # As a host does: what its processes have already sent still counts.
        for conversation in double.conversations:
            conversation.join(1.0)
        double.write({"type": "stopped"})
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    print("a line of noise")
    ready = {"event": "ready", "namespaces": ["shop"], "join": [address]}
    print(json.dumps(ready), flush=True)
    double.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
