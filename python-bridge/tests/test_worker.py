"""A plain program that runs its own worker: host started, joined, inherited; poll and complete."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tasker_core
from host import PATIENCE_SECONDS, ROOT, challenge, step_body, step_header, welcome
from tasker_core import (
    BootstrapConfig,
    ConversionError,
    EventBridge,
    EventNames,
    EventPoller,
    FfiStepEvent,
    HandlerRegistry,
    PermanentError,
    StepContext,
    StepExecutionError,
    StepExecutionSubscriber,
    StepHandler,
    Worker,
    WorkerBootstrapError,
    WorkerNotInitializedError,
    WorkerState,
    _tasker_core,
    bootstrap_worker,
    check_starvation_warnings,
    cleanup_timeouts,
    complete_step_event,
    get_ffi_dispatch_metrics,
    get_health_check,
    get_metrics,
    get_worker_config,
    get_worker_status,
    is_worker_running,
    log_info,
    poll_step_events,
    stop_worker,
    transition_to_graceful_shutdown,
)
from tasker_core._protocol.frame import Frame, FrameSplitter, encode_message
from tasker_core._protocol.handshake import proof
from tasker_core.step_handler import batch_worker, step_handler

DOUBLE = Path(__file__).with_name("host_double.py")
Record = Callable[[], list[dict[str, Any]]]


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)
    return found


class Spawned:
    """A program environment in which `tasker` is the double with a script."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.record_file = folder / "record"
        self._patch = patch
        patch.delenv("TASKER_BRIDGE", raising=False)
        patch.setenv("TASKER_BIN", f"{sys.executable} {DOUBLE}")
        patch.setenv("HOST_RECORD", str(self.record_file))

    def script(self, *steps: dict[str, Any]) -> None:
        self._patch.setenv("HOST_SCRIPT", json.dumps(steps))

    def record(self) -> list[dict[str, Any]]:
        if not self.record_file.exists():
            return []
        lines = self.record_file.read_text().splitlines()
        return [json.loads(line) for line in lines]

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [each for each in self.record() if each["type"] in kinds]

    def answers(self, count: int) -> list[dict[str, Any]]:
        kinds = ("result", "error", "checkpoint")
        wait_for(lambda: len(self.of(*kinds)) >= count)
        return self.of(*kinds)


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fresh_worker: None) -> Spawned:
    return Spawned(monkeypatch, tmp_path)


def register(*handlers: Any) -> None:
    registry = HandlerRegistry.instance(skip_bootstrap=True)
    for each in handlers:
        cls = getattr(each, "_handler_class", each)
        registry.register(cls.handler_name, cls)


def poll() -> dict[str, Any]:
    return wait_for(poll_step_events)


def completion(event: dict[str, Any], result: Any) -> dict[str, Any]:
    return {
        "step_uuid": event["step_uuid"],
        "task_uuid": event["task_uuid"],
        "success": True,
        "status": "completed",
        "result": result,
        "metadata": {},
        "error": None,
    }


def test_without_a_worker_everything_says_so(spawned: Spawned) -> None:
    assert not is_worker_running()
    assert get_worker_status().running is False
    assert stop_worker() == "No worker is running"
    for call in (
        poll_step_events,
        get_ffi_dispatch_metrics,
        get_health_check,
        get_metrics,
        get_worker_config,
        check_starvation_warnings,
        cleanup_timeouts,
        transition_to_graceful_shutdown,
        lambda: complete_step_event("x", {}),
    ):
        with pytest.raises(WorkerNotInitializedError, match="no worker runs"):
            call()


def test_a_program_starts_its_host_polls_and_stops_it(spawned: Spawned) -> None:
    spawned.script({"callable": "sums.add", "context": {"a": 1}})
    result = bootstrap_worker(BootstrapConfig(worker_id="sums-1", config_path="tasker.toml"))
    assert (result.success, result.status, result.worker_id) == (True, "started", "sums-1")
    again = bootstrap_worker({"worker_id": "other"})
    assert (again.success, again.status, again.worker_id) == (False, "already_running", "sums-1")
    [started] = spawned.of("started")
    assert started["arguments"][:2] == ["worker", "--json"]
    assert started["arguments"][-4:] == ["--config", "tasker.toml", "--log-level", "info"]

    event = poll()
    assert spawned.of("hello")[0]["header"]["worker_id"] == "sums-1"
    assert event["task_sequence_step"]["task"]["task"]["context"] == {"a": 1}
    assert get_ffi_dispatch_metrics()["pending_count"] == 1
    assert get_ffi_dispatch_metrics()["oldest_event_id"] == event["event_id"]
    assert get_metrics().steps_in_progress == 1
    assert complete_step_event(event["event_id"], completion(event, {"sum": 3})) is True
    assert complete_step_event(event["event_id"], completion(event, {})) is False
    assert complete_step_event("unknown", completion(event, {})) is False
    [answer] = spawned.answers(1)
    assert (answer["type"], answer["value"]) == ("result", {"sum": 3})
    assert poll_step_events() is None

    health = get_health_check()
    assert (health.status, health.is_running) == ("healthy", True)
    assert {"bridge", "host"} == set(health.components)
    assert health.components["bridge"].pool_size == 16
    assert (get_metrics().steps_processed, get_metrics().steps_succeeded) == (1, 1)
    assert get_metrics().dispatch_channel_pending == 0
    assert get_worker_config().supported_namespaces == ["shop"]
    assert get_worker_config().max_concurrent_handlers == 16
    status = get_worker_status()
    assert (status.running, status.worker_core_status) == (True, WorkerState.RUNNING.value)

    assert stop_worker() == "Worker sums-1 stopped"
    assert spawned.of("bye", "stopped")[-1]["type"] == "stopped"
    assert not is_worker_running()
    assert get_worker_status().worker_core_status == WorkerState.STOPPED.value
    with pytest.raises(ProcessLookupError):
        os.kill(started["pid"], 0)


def test_a_result_that_is_not_json_is_refused_and_may_be_replaced(spawned: Spawned) -> None:
    spawned.script({"callable": "x"})
    bootstrap_worker()
    event = poll()
    with pytest.raises(ConversionError, match="is a object"):
        complete_step_event(event["event_id"], completion(event, {"bad": object()}))
    failure = {
        "success": False,
        "error": {"message": "no", "error_type": "E", "retryable": False, "stack_trace": "t"},
        "metadata": {"retryable": False},
    }
    assert complete_step_event(event["event_id"], failure) is True
    header = spawned.answers(1)[0]["header"]
    assert (header["type"], header["error_type"], header["retryable"]) == ("error", "E", False)


def test_checkpoints_go_to_the_host(spawned: Spawned) -> None:
    spawned.script({"callable": "x"}, {"callable": "x"})
    bootstrap_worker()
    event = poll()
    data = {"step_uuid": event["step_uuid"], "cursor": 5, "items_processed": 7}
    yield_step = _tasker_core.checkpoint_yield_step_event
    assert yield_step(event["event_id"], data) is True
    assert yield_step(event["event_id"], data) is False
    answer = spawned.answers(1)[0]
    assert answer["value"] == {"cursor": 5}
    assert (answer["header"]["items_processed"], answer["header"]["yield"]) == (7, True)
    second = poll()
    assert yield_step(second["event_id"], {"cursor": object()}) is False
    header = spawned.answers(2)[1]["header"]
    assert (header["error_type"], header["retryable"]) == ("checkpoint_error", True)


def test_events_nobody_polls_starve_and_those_nobody_completes_time_out(
    spawned: Spawned, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasker_core._worker import pull_session

    monkeypatch.setattr(pull_session, "STARVATION_MS", 50)
    monkeypatch.setattr(pull_session, "CANCEL_GRACE_MS", 0)
    spawned.script(
        {"callable": "a", "header": {"timeout_ms": 1}}, {"callable": "b"}, {"callable": "c"}
    )
    bootstrap_worker()
    taken = poll()
    wait_for(lambda: get_ffi_dispatch_metrics()["pending_count"] == 3)
    warnings = wait_for(lambda: len(found := check_starvation_warnings()) == 2 and found)
    assert all(each["pending_age_ms"] >= 50 == each["threshold_ms"] for each in warnings)
    metrics = get_ffi_dispatch_metrics()
    assert (metrics["starvation_detected"], metrics["starving_event_count"]) == (True, 2)
    assert cleanup_timeouts() == 1
    header = spawned.answers(1)[0]["header"]
    assert (header["error_type"], header["retryable"]) == ("ffi_timeout", True)
    assert complete_step_event(taken["event_id"], completion(taken, {})) is False
    assert cleanup_timeouts() == 0


def test_the_worker_runs_every_kind_of_handler(spawned: Spawned) -> None:
    @step_handler("plain")
    def plain(context: StepContext) -> dict[str, Any]:
        log_info("inside")
        return {"thread": threading.current_thread().name, "attempt": context.retry_count}

    @step_handler("coroutine")
    async def coroutine() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"thread": threading.current_thread().name}

    class Fails(StepHandler):
        handler_name = "fails"

        def call(self, context: StepContext) -> Any:
            raise PermanentError("never", metadata={"k": 1})

    class Methods(StepHandler):
        handler_name = "methods"

        def call(self, context: StepContext) -> Any:
            return {"via": "call"}

        def other(self, context: StepContext) -> Any:
            return self.success({"via": "other"})

    @step_handler("unsendable")
    def unsendable() -> dict[str, Any]:
        return {"value": {1, 2} and object()}

    @batch_worker("yields")
    def yields(batch_context: Any) -> Any:
        return yields._handler_class().checkpoint_yield(3, 4, {"n": 1})

    register(plain, coroutine, Fails, Methods, unsendable, yields)
    spawned.script(
        {"callable": "plain", "workflow_step": {"attempts": 1}},
        {"callable": "coroutine"},
        {"callable": "fails"},
        {"callable": "methods", "handler": {"method": "other"}},
        {"callable": "methods", "handler": {"method": "missing"}},
        {"callable": "unsendable"},
        {"callable": "yields"},
        {"callable": "nowhere"},
    )
    errors: list[Any] = []
    sent: list[Any] = []
    with Worker.start() as worker:
        assert Worker.start() is worker is Worker.instance()
        assert worker.is_running and worker.bootstrap_result.success
        bridge = EventBridge.instance()
        bridge.subscribe(EventNames.HANDLER_ERROR, lambda event, error: errors.append(error))
        bridge.subscribe(EventNames.STEP_COMPLETION_SENT, sent.append)
        answers = spawned.answers(8)
    assert not worker.is_running
    names = [each["callable"] for each in spawned.of("hello")[0]["handlers"]]
    assert names == ["coroutine", "fails", "methods", "plain", "unsendable", "yields"]
    by_name: dict[str, list[dict[str, Any]]] = {}
    for each in answers:
        by_name.setdefault(each["callable"], []).append(each)
    assert by_name["plain"][0]["value"]["thread"].startswith("tasker-step-")
    assert by_name["plain"][0]["value"]["attempt"] == 1
    assert by_name["coroutine"][0]["value"] == {"thread": "tasker-async"}
    fails = by_name["fails"][0]
    assert fails["header"]["error_type"] == "PermanentError"
    assert fails["header"]["retryable"] is False
    assert fails["detail"]["metadata"]["k"] == 1
    assert any("never" in line for line in fails["detail"]["backtrace"])
    assert {each["value"]["via"] for each in by_name["methods"]} == {"other", "call"}
    unsendable_header = by_name["unsendable"][0]["header"]
    assert unsendable_header["error_type"] == "FFI_SERIALIZATION_ERROR"
    assert unsendable_header["retryable"] is False
    assert unsendable_header["message"].startswith("FFI serialization failed: ")
    assert by_name["yields"][0]["value"] == {"cursor": 3, "accumulated_results": {"n": 1}}
    nowhere = by_name["nowhere"][0]["header"]
    assert nowhere["message"] == "Handler not found: nowhere"
    assert (nowhere["error_type"], nowhere["retryable"]) == ("handler_not_found", False)
    logs = [record for each in spawned.of("log") for record in each["value"]]
    [inside] = [each for each in logs if each["message"] == "inside"]
    assert inside["delivery_id"] == by_name["plain"][0]["header"]["delivery_id"]


def test_cancellation_and_heartbeats_reach_handlers_of_a_program(spawned: Spawned) -> None:
    @step_handler("waits")
    def waits(context: StepContext) -> dict[str, Any]:
        context.heartbeat(0.5, extend_ms=2000)
        context.wait_cancelled(60)
        return {"reason": context.cancel_reason}

    @step_handler("sleeps")
    async def sleeps() -> None:
        await asyncio.sleep(60)

    register(waits, sleeps)
    spawned.script(
        {"callable": "waits", "cancel": "task_cancelled", "alone": True},
        {"callable": "sleeps", "cancel": "timeout", "alone": True},
    )
    with Worker.start():
        first, second = spawned.answers(2)
    assert first["value"] == {"reason": "task_cancelled"}
    assert spawned.of("beat")[0]["header"]["deliveries"][0]["progress"] == 0.5
    assert second["header"]["error_type"] == "CancelledError"


def test_the_classic_worker_program(spawned: Spawned, caplog: pytest.LogCaptureFixture) -> None:
    """bin/server.py of existing programs: bootstrap, registry, bridge, subscriber, poller."""

    @step_handler("classic")
    def classic() -> dict[str, Any]:
        return {"ok": True}

    spawned.script({"callable": "classic"})
    result = bootstrap_worker(BootstrapConfig(namespace="default", log_level="debug"))
    register(classic)
    bridge = EventBridge.instance()
    bridge.start()
    registry = HandlerRegistry.instance()
    subscriber = StepExecutionSubscriber(bridge, registry, result.worker_id)
    subscriber.start()
    assert subscriber.is_active and subscriber.worker_id == result.worker_id
    metrics: list[Any] = []
    poller = EventPoller(polling_interval_ms=10, starvation_check_interval=1, cleanup_interval=1)
    poller.on_step_event(lambda event: bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, event))
    poller.on_metrics(metrics.append)
    poller.on_error(lambda error: pytest.fail(str(error)))
    poller.start()
    with pytest.raises(RuntimeError, match="runs already"):
        poller.start()
    assert spawned.answers(1)[0]["value"] == {"ok": True}
    wait_for(lambda: metrics)
    assert poller.is_running and poller.get_metrics() is not None
    poller.stop()
    subscriber.stop()
    bridge.stop()
    assert not poller.is_running and not subscriber.is_active and not bridge.is_active
    stop_worker()


def test_a_lost_connection_is_dialled_again(spawned: Spawned) -> None:
    @step_handler("echo")
    def echo() -> dict[str, Any]:
        return {}

    register(echo)
    spawned.script({"callable": "echo", "alone": True, "hang_up": [{"callable": "echo"}]})
    with Worker.start():
        spawned.answers(2)
    assert len(spawned.of("hello")) == 2


def test_a_host_that_cannot_start_says_why(
    spawned: Spawned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_FAILS", "the database is away")
    with pytest.raises(WorkerBootstrapError, match="did not start: the database is away"):
        bootstrap_worker()
    with pytest.raises(WorkerBootstrapError):
        Worker.start()
    monkeypatch.setenv("TASKER_BIN", "/nonexistent/tasker")
    with pytest.raises(WorkerBootstrapError, match="did not start: it ended"):
        bootstrap_worker()
    assert not is_worker_running()


def test_no_host_anywhere_is_said(spawned: Spawned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TASKER_BIN")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(WorkerBootstrapError, match="TASKER_BIN"):
        bootstrap_worker()


def test_unknown_keys_and_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown key `slots`"):
        bootstrap_worker({"slots": 3})
    with pytest.raises(ValueError, match="log_level"):
        BootstrapConfig.model_validate({"log_level": "loud"})


def test_killing_the_program_ends_its_host(tmp_path: Path) -> None:
    record = tmp_path / "record"
    program = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time, tasker_core\ntasker_core.bootstrap_worker()\ntime.sleep(60)\n",
        ],
        env={
            **{k: v for k, v in os.environ.items() if k != "TASKER_BRIDGE"},
            "PYTHONPATH": str(ROOT / "src"),
            "TASKER_BIN": f"{sys.executable} {DOUBLE}",
            "HOST_RECORD": str(record),
        },
    )
    try:
        wait_for(lambda: record.exists() and "started" in record.read_text())
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait(20)
    wait_for(lambda: "stopped" in record.read_text())
    pid = json.loads(record.read_text().splitlines()[0])["pid"]
    wait_for(lambda: not Path(f"/proc/{pid}").exists())


def test_a_child_program_takes_the_channel_it_inherits(tmp_path: Path) -> None:
    program = (
        "import tasker_core\n"
        "from tasker_core.step_handler import step_handler\n"
        "@step_handler('inherited')\n"
        "def inherited(): return {'lane': 'fd'}\n"
        "from tasker_core import HandlerRegistry, Worker\n"
        "HandlerRegistry.instance().register('inherited', inherited._handler_class)\n"
        "import os, time\n"
        "with Worker.start() as worker:\n"
        "    assert 'TASKER_BRIDGE' not in os.environ\n"
        "    while tasker_core.get_metrics().steps_succeeded < 1: time.sleep(0.01)\n"
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            pass_fds=[theirs.fileno()],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / "src"),
                "TASKER_BRIDGE": f"fd:{theirs.fileno()}",
            },
        )
        theirs.close()
        ours.settimeout(PATIENCE_SECONDS)
        body = json.dumps(step_body("inherited", {})).encode()
        for header, content in (
            (challenge(), b""),
            (welcome(), b""),
            (step_header("inherited", "d1"), body),
        ):
            ours.sendall(encode_message(header, content))
        splitter, kinds = FrameSplitter(), []
        while "bye" not in kinds:
            data = ours.recv(65_536)
            assert data, kinds
            for frame in splitter.feed(data):
                assert isinstance(frame, Frame)
                header = json.loads(frame.header)
                kinds.append(header["type"])
                if header["type"] == "result":
                    item = {"id": "d1", "kind": "result", "status": "committed"}
                    ours.sendall(encode_message({"type": "ack", "items": [item]}))
        assert [kind for kind in kinds if kind != "log"] == [
            "hello", "result", "drain", "ready", "bye",
        ]  # fmt: skip
        assert process.wait(PATIENCE_SECONDS) == 0


def test_joining_needs_the_right_token(
    fresh_worker: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, token = tmp_path / "bridge.sock", tmp_path / "token"
    token.write_text("right\n")
    monkeypatch.setenv("TASKER_BRIDGE", f"unix:{path}")
    with pytest.raises(WorkerBootstrapError, match="cannot reach the host"):
        bootstrap_worker()
    seen: list[bool] = []

    def host(listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock:
                asked = challenge(auth="hmac")
                try:
                    sock.sendall(encode_message(asked))
                    data = sock.recv(1 << 16)
                except ConnectionError:
                    data = b""
                if not data:
                    continue  # only looked whether we are here
                [frame] = FrameSplitter().feed(data)
                hello = json.loads(frame.header)
                wanted = proof("handler", "right", asked["nonce"], hello["nonce"])
                seen.append(hello["proof"] == wanted)
                sock.sendall(encode_message(welcome(proof="0" * 64)))
                sock.recv(1 << 16)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(8)
        threading.Thread(target=host, args=(listener,), daemon=True).start()
        with pytest.raises(WorkerBootstrapError, match="TASKER_BRIDGE_TOKEN_FILE"):
            Worker.start()
        monkeypatch.setenv("TASKER_BRIDGE_TOKEN_FILE", str(token))
        with pytest.raises(WorkerBootstrapError, match="does not know the token"):
            Worker.start()
        listener.shutdown(socket.SHUT_RDWR)
    assert seen == [True]
    assert logging.getLogger("tasker").handlers == []


def test_a_forked_child_has_no_worker(spawned: Spawned) -> None:
    bootstrap_worker()
    assert poll_step_events() is None
    child = os.fork()
    if child == 0:
        os._exit(7 if is_worker_running() else 0)
    assert os.waitpid(child, 0)[1] == 0
    assert is_worker_running()


def test_graceful_shutdown_finishes_what_is_in_flight(spawned: Spawned) -> None:
    spawned.script({"callable": "x"})
    bootstrap_worker()
    event = poll()
    assert transition_to_graceful_shutdown() == "shutting_down"
    wait_for(lambda: spawned.of("ready"))
    assert complete_step_event(event["event_id"], completion(event, {"done": True}))
    assert spawned.answers(1)[0]["value"] == {"done": True}
    wait_for(lambda: spawned.of("bye"))
    assert get_worker_status().worker_core_status == "shutting_down"


def test_stopping_waits_for_what_runs(spawned: Spawned) -> None:
    began = threading.Event()

    @step_handler("slow")
    def slow(context: StepContext) -> dict[str, Any]:
        began.set()
        return {"cancelled": context.wait_cancelled(0.5)}

    register(slow)
    spawned.script({"callable": "slow"})
    with Worker.start() as worker:
        assert began.wait(PATIENCE_SECONDS)
    assert not worker.is_running
    assert spawned.answers(1)[0]["value"] == {"cancelled": False}
    kinds = [each["type"] for each in spawned.record()]
    assert kinds.index("result") < kinds.index("bye") < kinds.index("stopped")


def test_versions() -> None:
    assert tasker_core.version() == tasker_core.get_version() == tasker_core.__version__
    assert tasker_core.__version__ in tasker_core.get_rust_version()
    assert tasker_core.health_check() is True


def test_the_subscriber_uses_the_names_the_contract_lists(
    fresh_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, dict[str, Any]]] = []
    done = threading.Event()

    def complete(event_id: str, data: dict[str, Any]) -> bool:
        sent.append((event_id, data))
        done.set()
        return True

    monkeypatch.setattr(_tasker_core, "complete_step_event", complete)
    bridge, registry = EventBridge(), HandlerRegistry()
    bridge.start()
    subscriber = StepExecutionSubscriber(bridge, registry, "w1")
    subscriber.start()
    for step, wanted in (
        ({"step_definition": {"handler": {"callable": "a"}}}, "a"),
        ({"workflow_step": {"template_step_name": "b"}}, "b"),
        ({"step_template": {"handler_class": "c"}}, "c"),
        ({}, "unknown_handler"),
    ):
        done.clear()
        event = FfiStepEvent("e", "t", "s", "c", task_sequence_step=step)
        bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, event)
        assert done.wait(PATIENCE_SECONDS)
        event_id, data = sent[-1]
        assert event_id == "e"
        assert data["error"]["message"] == f"Handler not found: {wanted}"
        assert (data["status"], data["worker_id"]) == ("permanent_error", "w1")
    subscriber.stop()
    error = StepExecutionError("m")
    assert (error.message, error.error_type, error.retryable) == ("m", "step_execution_error", True)
