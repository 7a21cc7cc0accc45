"""Starts a `tasker worker` for this program and stops it when the program ends."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from tasker_core._worker import guard
from tasker_core.exceptions import WorkerBootstrapError
from tasker_core.types.worker import BootstrapConfig

DEFAULT_START_SECONDS = 60.0


class HostProcess:
    """One `tasker worker --join` and the address at which it waits for this process.

    It lives under a guard process that holds a pipe from this one, so it cannot be left over.
    """

    def __init__(
        self, config: BootstrapConfig, environment: Mapping[str, str] | None = None
    ) -> None:
        self._environment = dict(os.environ if environment is None else environment)
        # Private to this user (0700), as the socket's owner is all that protects it.
        # The guard removes it too: this program may be killed.
        self._directory = tempfile.TemporaryDirectory(
            prefix="tasker-worker-", ignore_cleanup_errors=True
        )
        self.address = f"unix:{Path(self._directory.name) / 'bridge.sock'}"
        self.token_file = Path(self._directory.name) / "token"
        self.ready: dict[str, Any] = {}
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once the host listens. Raises WorkerBootstrapError saying what it said last."""
        command = [*host_command(self._environment), "worker", "--json"]
        command += ["--join", self.address, "--join-token", str(self.token_file)]
        self.token_file.touch(0o600)
        self.token_file.write_text(secrets.token_hex(32), encoding="utf-8")
        if self._config.config_path is not None:
            command += ["--config", self._config.config_path]
        command += ["--log-level", self._config.log_level]
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", guard.__file__, self._directory.name, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Ctrl-C is for the program; it then stops its host in order.
                start_new_session=True,
                env=self._environment,
            )
        except OSError as error:
            self._directory.cleanup()
            raise WorkerBootstrapError(f"`{shlex.join(command)}` cannot start: {error}") from error
        self._process = process
        try:
            self.ready = self._await_ready(process, command)
        except BaseException:
            self.stop(0.0)
            raise

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self, grace_seconds: float = guard.STOP_SECONDS) -> None:
        """Ask the host to end, wait, and end it. Does nothing the second time."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            # A little longer than the guard itself waits before it kills.
            process.wait(grace_seconds + 2.0 if grace_seconds else guard.STOP_SECONDS + 2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        self._directory.cleanup()

    def _await_ready(self, process: subprocess.Popen[bytes], command: list[str]) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        arrived = threading.Event()

        def read() -> None:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    event = _object(line)
                    if not found and ("event" in event or "error" in event):
                        found.append(event)
                        arrived.set()
            except ValueError:
                pass  # closed by `stop`
            arrived.set()

        # It goes on reading: a full pipe would stop the host.
        threading.Thread(target=read, name="tasker-host-output", daemon=True).start()
        seconds = float(self._environment.get("TASKER_HOST_START_SECONDS") or DEFAULT_START_SECONDS)
        in_time = arrived.wait(seconds)
        said = found[0] if found else {}
        if said.get("event") == "ready":
            return said
        error: Any = said.get("error")
        if error:
            why: Any = cast(Any, error).get("message") if isinstance(error, dict) else error
        else:
            why = "it ended" if in_time else f"it was not ready within {seconds:g} s"
        raise WorkerBootstrapError(
            f"the host `{shlex.join(command)}` did not start: {why}. Its log is on standard error; "
            "DATABASE_URL must name a database that `tasker db migrate` has prepared"
        )


def host_command(environment: Mapping[str, str]) -> list[str]:
    """TASKER_BIN (words), else `tasker` on the PATH, else the build of this checkout.

    Raises WorkerBootstrapError when there is none.
    """
    named = environment.get("TASKER_BIN")
    if named:
        return shlex.split(named)
    found = shutil.which("tasker", path=environment.get("PATH"))
    if found is not None:
        return [found]
    node = shutil.which("node", path=environment.get("PATH"))
    for folder in Path(__file__).resolve().parents:
        program = folder / "core" / "bin" / "tasker.js"
        if program.is_file() and (folder / "core" / "dist").is_dir() and node is not None:
            return [node, str(program)]
    raise WorkerBootstrapError(
        "there is no Tasker host to run steps for: install `tasker` on the PATH, name it in "
        "TASKER_BIN, or set TASKER_BRIDGE=unix:<path> to join a worker that runs already"
    )


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
