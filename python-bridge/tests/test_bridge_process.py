"""A real handler process over a real socket pair: answers, cancel, drain, crash, noise."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host import (
    PATIENCE_SECONDS,
    REFERENCE,
    ROOT,
    ScriptedHost,
    challenge,
    step_body,
    step_header,
    welcome,
)
from tasker_core._protocol.frame import Frame, FrameSplitter, encode_message
from tasker_core._protocol.handshake import proof

StartHost = Callable[..., ScriptedHost]


def cancel(delivery: str, reason: str = "timeout") -> dict[str, object]:
    return {"type": "cancel", "delivery_id": delivery, "reason": reason, "grace_ms": 5000}


def test_hello_lists_the_handlers(start_host: StartHost) -> None:
    host = start_host(arguments=("--slots", "3", "--pool", "io"))
    assert host.hello["language"] == "python"
    assert host.hello["pid"] == host.process.pid
    assert host.hello["pools"] == [{"name": "io", "slots": 3}]
    found = {each["callable"]: each for each in host.handlers}
    assert found["reference.echo"] == {
        "callable": "reference.echo",
        "kind": "step",
        "pool": "io",
        "version": "1.0.0",
    }
    assert {"reference.fail", "reference.sleep", "reference.exit"} <= set(found)


def test_a_step_is_answered_with_its_value(start_host: StartHost) -> None:
    header, value, detail = start_host().run("reference.echo", {"n": 1, "f": 1.0, "t": "grüße"})
    assert header["outcome"] == "success"
    assert value == {"n": 1, "f": 1.0, "t": "grüße"}
    assert detail == {}


def test_an_async_step_is_answered(start_host: StartHost) -> None:
    host = start_host()
    slow = host.step("reference.async_echo", {"ms": 300})
    fast = host.step("reference.async_echo", {"ms": 0})
    # They share one event loop: the second overtakes the first.
    assert host.read()[0]["delivery_id"] == fast
    assert host.read()[0]["delivery_id"] == slow


@pytest.mark.parametrize("permanent", [True, False])
def test_one_error_vocabulary(start_host: StartHost, permanent: bool) -> None:
    header, _, detail = start_host().run(
        "reference.fail",
        {"permanent": permanent, "message": "no", "retry_after": 1.5, "error_code": "E1"},
    )
    assert header["type"] == "error"
    assert header["kind"] == "handler"
    assert header["error_type"] == ("PermanentError" if permanent else "RetryableError")
    assert header["message"] == "no"
    assert header["retryable"] is not permanent
    assert header["retry_after_ms"] == 1500
    assert header["code"] == "E1"
    assert detail["metadata"] == {"retry_after": 1.5, "error_code": "E1"}
    assert any("reference_handlers" in line for line in detail["backtrace"])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("object", "$.outer[1].inner is a object"),
        ("nan", "$.outer[1].inner is nan"),
        ("surrogate", "lone surrogate"),
        ("nul", "U+0000"),
        ("deep", "deeper than 64"),
    ],
)
def test_a_value_json_cannot_hold_fails_that_step(
    start_host: StartHost, kind: str, reason: str
) -> None:
    host = start_host()
    header, _, _ = host.run("reference.bad_value", {"kind": kind})
    assert (header["kind"], header["retryable"]) == ("invalid_result", False)
    assert reason in header["message"]
    assert host.run("reference.echo")[0]["type"] == "result"


def test_a_result_over_max_frame_becomes_an_error(start_host: StartHost) -> None:
    host = start_host(max_frame=64 * 1024)
    header, _, _ = host.run("reference.big", {"bytes": 100_000})
    assert (header["kind"], header["retryable"]) == ("payload_too_large", False)
    assert len(host.run("reference.big", {"bytes": 10_000})[1]["text"]) == 10_000


def test_an_unknown_handler_is_not_found(start_host: StartHost) -> None:
    header, _, _ = start_host().run("reference.nowhere")
    assert header["kind"] == header["error_type"] == "handler_not_found"
    assert header["retryable"] is False


def test_an_unreadable_body_fails_that_step(start_host: StartHost) -> None:
    host = start_host()
    for body in (b"{", b"[]", b'{"task":NaN}', b""):
        host.send(step_header("reference.echo", f"d-{body!r}"), body)
        header, _ = host.answer(f"d-{body!r}")
        assert (header["kind"], header["retryable"]) == ("invalid_result", False)


def test_a_missing_method_falls_back_to_call(start_host: StartHost) -> None:
    assert start_host().run("reference.echo", {"a": 1}, method="nope")[1] == {"a": 1}


def test_checkpoint_yield_ends_the_delivery(start_host: StartHost) -> None:
    host = start_host()
    header, body = host.answer(host.step("reference.checkpoint", {"yields": 1}))
    assert header["type"] == "checkpoint"
    assert (header["yield"], header["items_processed"]) == (True, 10)
    assert json.loads(body) == {"cursor": 1, "accumulated_results": {"done": 1}}
    again = step_body("reference.checkpoint", {"yields": 1})
    again["workflow_step"]["checkpoint"] = {"cursor": 1, "accumulated_results": {"done": 1}}
    host.send(step_header("reference.checkpoint", "again"), json.dumps(again).encode())
    header, body = host.answer("again")
    assert json.loads(body) == {"yields": 1, "accumulated": {"done": 1}}


def test_cancel_interrupts_a_co_operative_handler(start_host: StartHost) -> None:
    host = start_host()
    for callable_name in ("reference.sleep", "reference.async_echo"):
        for reason, kind, error_type in (
            ("timeout", "timeout", "handler_timeout"),
            ("task_cancelled", "cancelled", "cancelled"),
        ):
            delivery = host.step(callable_name, {"ms": 60_000})
            host.send(cancel(delivery, reason))
            header, _ = host.answer(delivery)
            assert (header["kind"], header["error_type"]) == (kind, error_type)


def test_a_cancelled_step_that_has_not_started_never_runs(start_host: StartHost) -> None:
    host = start_host(arguments=("--slots", "1"))
    running = host.step("reference.sleep", {"ms": 60_000})
    waiting = host.step("reference.echo")
    for delivery in (waiting, running):
        host.send(cancel(delivery, "lease_lost"))
    assert {host.read()[0]["kind"], host.read()[0]["kind"]} == {"cancelled"}


def test_blocking_steps_run_side_by_side(start_host: StartHost) -> None:
    host = start_host(arguments=("--slots", "16"))
    began = time.monotonic()
    waiting = {host.step("reference.sleep", {"ms": 500}) for _ in range(16)}
    while waiting:
        waiting.remove(host.read()[0]["delivery_id"])
    assert time.monotonic() - began < 16 * 0.5 / 2


def test_a_blocked_thread_does_not_delay_others(start_host: StartHost) -> None:
    host = start_host(arguments=("--slots", "2"))
    blocked = host.step("reference.sleep", {"ms": 60_000})
    for n in range(200):
        assert host.run("reference.echo", {"n": n})[1] == {"n": n}
    host.send(cancel(blocked))
    host.answer(blocked)


def test_no_answer_waits_for_a_neighbour_that_blocks(start_host: StartHost) -> None:
    host = start_host(arguments=("--slots", "64"))
    for _ in range(20):
        quick: set[str] = set()
        slow: list[str] = []
        batch = b""
        for n in range(32):
            name = "reference.sleep" if n % 4 == 3 else "reference.echo"
            delivery = f"{len(quick)}-{len(slow)}-{n}-{time.monotonic_ns()}"
            (slow.append if n % 4 == 3 else quick.add)(delivery)
            batch += encode_message(
                step_header(name, delivery),
                json.dumps(step_body(name, {"ms": 60_000})).encode(),
            )
        # One write: the process reads all of them at once and may gather its replies.
        host.sock.sendall(batch)
        while quick:
            header, _ = host.read()
            quick.remove(header["delivery_id"])
            host.ack(header)
        for delivery in slow:
            host.send(
                {"type": "cancel", "delivery_id": delivery, "reason": "timeout", "grace_ms": 0}
            )
        for _ in slow:
            host.ack(host.read()[0])


def test_a_running_step_can_log_and_beat(start_host: StartHost, tmp_path: Path) -> None:
    (tmp_path / "alive.py").write_text(
        "from tasker_core import log_info\n"
        "from tasker_core.step_handler import step_handler\n"
        "@step_handler('alive')\n"
        "def alive(context):\n"
        "    log_info('still here', {'n': 1})\n"
        "    context.heartbeat(0.25, extend_ms=1000)\n"
        "    context.wait_cancelled()\n"
        "    return {'reason': context.cancel_reason}\n"
    )
    host = start_host(handlers=tmp_path / "alive.py")
    delivery = host.step("alive")
    beat, _ = host.expect("beat")
    assert beat["deliveries"] == [{"id": delivery, "progress": 0.25}]
    assert beat["extend_ms"] == 1000
    # Not held back until the step ends.
    _, records = host.expect("log")
    [record] = json.loads(records)
    assert (record["message"], record["level"], record["fields"]) == (
        "still here",
        "info",
        {"n": "1"},
    )
    assert record["delivery_id"] == delivery
    host.send(cancel(delivery, "task_cancelled"))
    header, body = host.answer(delivery)
    assert json.loads(body[: header["split"]]) == {"reason": "task_cancelled"}


def test_a_process_may_join_over_a_unix_socket(start_host: StartHost, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "bridge.sock"))
        listener.listen(1)
        listener.settimeout(PATIENCE_SECONDS)
        host = start_host(
            env={"TASKER_BRIDGE": f"unix:{tmp_path / 'bridge.sock'}"}, handshake=False
        )
        host.sock.close()
        host.sock, _ = listener.accept()
    host.shake_hands()
    assert host.run("reference.echo", {"lane": "unix"})[1] == {"lane": "unix"}
    host.sock.close()
    assert host.wait() == 1


def test_half_a_frame_at_the_end_is_ignored(start_host: StartHost) -> None:
    host = start_host()
    host.run("reference.echo")
    host.sock.sendall(encode_message(step_header("reference.echo", "half"), b"x" * 1000)[:700])
    host.sock.shutdown(socket.SHUT_WR)
    with pytest.raises(EOFError):
        host.read()
    assert host.wait() == 1


def test_printing_stays_off_the_channel(start_host: StartHost) -> None:
    host = start_host()
    assert host.run("reference.print")[1] == {"printed": True}
    assert host.run("reference.echo", {"still": "here"})[1] == {"still": "here"}
    host.send({"type": "bye", "reason": "done"})
    assert host.wait() == 0
    out, err = host.output()
    assert "reference.print on stdout" in out
    assert "reference.print on descriptor 1\n" in out
    assert "reference.print from a child\n" in out
    assert "reference.print on stderr\n" in err


def test_system_exit_fails_the_step_only(start_host: StartHost) -> None:
    host = start_host()
    header, _, _ = host.run("reference.exit", {"soft": True, "code": 4})
    assert (header["type"], header["error_type"]) == ("error", "SystemExit")
    assert host.run("reference.echo")[0]["type"] == "result"


def test_os_exit_ends_the_process(start_host: StartHost) -> None:
    host = start_host()
    host.step("reference.exit", {"code": 9})
    with pytest.raises(EOFError):
        host.read()
    assert host.wait() == 9


def test_a_forked_child_does_not_answer(start_host: StartHost) -> None:
    host = start_host()
    _, value, _ = host.run("reference.fork")
    assert value == {"who": "parent", "child_status": 0}
    assert host.run("reference.echo", {"n": 2})[1] == {"n": 2}


def test_kill_is_seen_as_the_end_of_the_channel(start_host: StartHost) -> None:
    host = start_host()
    host.step("reference.sleep", {"ms": 60_000})
    os.kill(host.process.pid, signal.SIGKILL)
    with pytest.raises(EOFError):
        host.read()


def test_logs_precede_the_answer_and_carry_the_step(start_host: StartHost) -> None:
    host = start_host()
    delivery = host.step("reference.log", {"count": 70})
    records = []
    while (message := host.read())[0]["type"] == "log":
        records += json.loads(message[1])
        assert message[0]["dropped"] == 0
    assert message[0]["delivery_id"] == delivery
    assert len(records) == 71
    assert records[0]["message"] == "reference log 0"
    assert records[0]["fields"] == {"index": "0"}
    assert {record["delivery_id"] for record in records} == {delivery}
    assert records[-1]["level"] == "warn"


def test_ping_is_answered(start_host: StartHost) -> None:
    host = start_host()
    host.send({"type": "ping", "n": 41})
    assert host.expect("pong")[0]["n"] == 41


def test_bad_messages_get_a_nack_and_the_connection_lives(start_host: StartHost) -> None:
    host = start_host()
    bad = [
        ({"type": "from_the_future"}, "unsupported"),
        ({"type": "ping"}, "missing_field"),
        ({"type": "ping", "n": -1}, "invalid_field"),
        (cancel("x"), "unknown_delivery"),
        (challenge(), "unsupported"),
    ]
    for header, code in bad:
        host.send(header)
        assert host.expect("nack")[0]["code"] == code
    assert host.run("reference.echo", {"ok": True})[1] == {"ok": True}


def test_a_duplicate_delivery_is_refused(start_host: StartHost) -> None:
    host = start_host()
    delivery = host.step("reference.sleep", {"ms": 60_000})
    host.step("reference.echo", delivery_id=delivery)
    nack, _ = host.expect("nack")
    assert (nack["code"], nack["ref_id"]) == ("duplicate_delivery", delivery)


def test_a_frame_over_max_frame_is_skipped(start_host: StartHost) -> None:
    host = start_host(max_frame=16 * 1024)
    host.run("reference.echo")
    host.send(step_header("reference.echo", "large"), b" " * 50_000)
    nack, _ = host.expect("nack")
    assert (nack["code"], nack["ref_type"], nack["ref_id"]) == ("too_large", "step", "large")
    assert host.run("reference.echo", {"ok": True})[1] == {"ok": True}


def test_ten_bad_messages_end_the_connection(start_host: StartHost) -> None:
    host = start_host()
    for _ in range(10):
        host.send({"type": "from_the_future"})
    while (header := host.read()[0])["type"] == "nack":
        pass
    assert (header["type"], header["code"]) == ("bye", "protocol_error")
    assert host.wait() == 1


def test_text_on_the_channel_ends_the_connection(start_host: StartHost) -> None:
    host = start_host()
    host.sock.sendall(b"hello from print\n")
    assert host.expect("bye")[0]["code"] == "bad_frame"
    assert host.wait() == 1
    assert "hello from print" in host.output()[1]


def test_drain_finishes_waits_for_acks_and_says_goodbye(start_host: StartHost) -> None:
    host = start_host()
    running = host.step("reference.sleep", {"ms": 300})
    host.send({"type": "drain", "grace_ms": 20_000, "reason": "restart"})
    assert host.expect("ready")[0]["pools"] == {"default": 0}
    header, _ = host.answer(running)
    assert header["type"] == "result"
    host.ack(header)
    assert host.expect("bye")[0]["reason"] == "drained"
    assert host.wait() == 0


def test_drain_cancels_what_outlives_its_grace(start_host: StartHost) -> None:
    host = start_host()
    running = host.step("reference.sleep", {"ms": 60_000})
    host.send({"type": "drain", "grace_ms": 100, "reason": "restart"})
    host.expect("ready")
    header, _ = host.answer(running)
    assert header["kind"] == "cancelled"
    host.ack(header)
    host.expect("bye")
    assert host.wait() == 0


def test_sigterm_drains(start_host: StartHost) -> None:
    host = start_host()
    running = host.step("reference.sleep", {"ms": 2_000})
    host.run("reference.echo")
    host.process.send_signal(signal.SIGTERM)
    seen: dict[str, dict[str, Any]] = {}
    while "result" not in seen:
        header, _ = host.read()
        seen[header["type"]] = header
    assert list(seen) == ["drain", "ready", "result"]
    assert seen["drain"]["reason"] == "SIGTERM"
    assert seen["result"]["delivery_id"] == running
    host.ack(seen["result"])
    host.expect("bye")
    assert host.wait() == 0


def test_a_signal_that_another_thread_takes_drains_an_idle_process(
    start_host: StartHost, tmp_path: Path
) -> None:
    """The reader sleeps in the kernel and no frame comes: only the wake-up descriptor tells it."""
    (tmp_path / "signalled.py").write_text(
        "import signal, threading\n"
        "from tasker_core.step_handler import step_handler\n"
        "@step_handler('signalled')\n"
        "def signalled(context):\n"
        "    context.wait_cancelled(0.5)  # until the reader sleeps again\n"
        "    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)\n"
        "    return {'drained': context.wait_cancelled(60)}\n"
    )
    host = start_host(handlers=tmp_path / "signalled.py")
    running = host.step("signalled")
    assert host.expect("drain")[0]["reason"] == "SIGTERM"
    host.expect("ready")
    host.process.send_signal(signal.SIGTERM)
    header, _ = host.answer(running)
    host.ack(header)
    host.expect("bye")
    assert host.wait() == 0


def test_end_of_the_channel_ends_the_process(start_host: StartHost) -> None:
    host = start_host(arguments=("--slots", "2"))
    host.step("reference.sleep", {"ms": 60_000})
    host.run("reference.echo")
    for _ in range(5):
        # More than can start: those that wait must not delay the end either.
        host.step("reference.sleep", {"ms": 60_000})
    host.send({"type": "ping", "n": 1})
    host.expect("pong")
    host.sock.close()
    began = time.monotonic()
    assert host.wait() == 1
    assert time.monotonic() - began < 3.5


def test_a_deaf_handler_does_not_keep_the_process(start_host: StartHost) -> None:
    host = start_host()
    host.step("reference.spin", {"ms": 120_000})
    host.run("reference.echo")
    host.sock.close()
    assert host.wait() == 1


def test_nothing_is_lost_with_many_steps_in_flight(start_host: StartHost) -> None:
    host = start_host(arguments=("--slots", "64"))
    waiting: set[str] = set()
    for _ in range(3000):
        while len(waiting) >= 64:
            header, _ = host.read()
            waiting.remove(header["delivery_id"])
            host.ack(header)
        waiting.add(host.step("reference.echo", {"x": 1}))
    while waiting:
        waiting.remove(host.read()[0]["delivery_id"])


def test_a_slow_reader_gets_everything(start_host: StartHost) -> None:
    host = start_host(arguments=("--slots", "16"))
    waiting = {host.step("reference.big", {"bytes": 500_000}) for _ in range(16)}
    time.sleep(0.5)
    while waiting:
        header, body = host.read()
        assert len(body) > 500_000
        waiting.remove(header["delivery_id"])


def test_a_host_with_another_version_is_refused(start_host: StartHost) -> None:
    host = start_host(handshake=False)
    host.send(challenge(protocols=[7]))
    assert host.wait() == 1
    assert "bridge protocols [7]" in host.output()[1]


def test_a_reject_ends_the_process_with_its_message(start_host: StartHost) -> None:
    host = start_host(handshake=False)
    host.send(challenge())
    host.expect("hello")
    host.send({"type": "reject", "code": "duplicate_worker", "message": "already here"})
    assert host.wait() == 1
    assert "duplicate_worker: already here" in host.output()[1]


def test_the_token_proves_both_sides(start_host: StartHost, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("s3cret\n")
    host = start_host(handshake=False, env={"TASKER_BRIDGE_TOKEN_FILE": str(token_file)})
    asked = challenge(auth="hmac")
    host.send(asked)
    hello, _ = host.expect("hello")
    assert hello["proof"] == proof("handler", "s3cret", asked["nonce"], hello["nonce"])
    host.send(welcome(proof=proof("host", "s3cret", hello["nonce"], asked["nonce"])))
    assert host.run("reference.echo", {"a": 1})[1] == {"a": 1}


def test_a_host_without_the_token_is_refused(start_host: StartHost, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("s3cret\n")
    host = start_host(handshake=False, env={"TASKER_BRIDGE_TOKEN_FILE": str(token_file)})
    host.send(challenge(auth="hmac"))
    host.expect("hello")
    host.send(welcome(proof="0" * 64))
    assert host.wait() == 1


def test_a_broken_module_is_skipped_and_children_do_not_get_the_channel(
    start_host: StartHost, tmp_path: Path
) -> None:
    package = tmp_path / "handlers"
    (package / "deep").mkdir(parents=True)
    (package / "ignored").mkdir()
    (package / "broken.py").write_text("import nothing_of_that_name\n")
    (package / "_private.py").write_text("raise RuntimeError\n")
    (package / "shared.py").write_text("WORD = 'shared'\n")
    (package / "ignored" / "x.py").write_text("raise RuntimeError\n")
    (package / "deep" / "__init__.py").write_text("")
    (package / "deep" / "good.py").write_text(
        "import os, subprocess, sys\n"
        "from tasker_core.step_handler import step_handler\n"
        "from ..shared import WORD\n"
        "@step_handler('deep.good')\n"
        "def good():\n"
        '    code = \'import os\\nfor n in os.listdir("/proc/self/fd"):\\n try: print('
        'os.readlink("/proc/self/fd/"+n))\\n except OSError: pass\'\n'
        "    links = subprocess.check_output([sys.executable, '-c', code], close_fds=False)\n"
        "    return {'word': WORD, 'links': links.decode(), 'env': 'TASKER_BRIDGE' in os.environ}\n"
    )
    host = start_host(handlers=package)
    assert [each["callable"] for each in host.handlers] == ["deep.good"]
    _, value, _ = host.run("deep.good")
    assert value["word"] == "shared"
    assert value["env"] is False
    links = set(value["links"].split())
    channel = os.readlink(f"/proc/{host.process.pid}/fd/64")
    assert channel.startswith("socket:")
    assert links and channel not in links


def test_python_handler_path_is_used_without_an_option(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tasker_core.bridge"],
            pass_fds=[theirs.fileno()],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / "src"),
                "PYTHON_HANDLER_PATH": str(REFERENCE),
                "TASKER_BRIDGE": f"fd:{theirs.fileno()}",
            },
        )
        theirs.close()
        ours.shutdown(socket.SHUT_WR)
        assert process.wait(20) == 1


def test_the_stdio_lane_keeps_prints_away(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tasker_core.bridge", "--handlers", str(REFERENCE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "TASKER_BRIDGE": "stdio"},
    )
    body = json.dumps(step_body("reference.print", {})).encode()
    request = b"".join(
        (
            encode_message(challenge()),
            encode_message(welcome()),
            encode_message(step_header("reference.print", "d1"), body),
        )
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(request)
    process.stdin.flush()
    splitter = FrameSplitter()
    kinds: list[str] = []
    while "result" not in kinds:
        for frame in splitter.feed(os.read(process.stdout.fileno(), 65_536)):
            assert isinstance(frame, Frame)
            kinds.append(json.loads(frame.header)["type"])
    assert kinds == ["hello", "result"]
    _, err = process.communicate(timeout=20)
    assert b"reference.print on stdout" in err
    assert b"reference.print from a child" in err


def test_without_a_host_the_program_says_how_it_is_started() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TASKER_BRIDGE"}
    done = subprocess.run(
        [sys.executable, "-m", "tasker_core.bridge"],
        capture_output=True,
        env={**environment, "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 64
    assert b"tasker worker" in done.stderr
