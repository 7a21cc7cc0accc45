"""The handler process: ``python3 -m tasker_core.bridge --handlers <directory or file>``.

A Tasker worker starts it with TASKER_BRIDGE naming the channel. Standard output and standard
error stay ordinary text.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from tasker_core._protocol.handshake import HandshakeError
from tasker_core._runtime.discovery import load_handlers
from tasker_core._runtime.greeting import ProcessOptions
from tasker_core._runtime.log_ring import level_number
from tasker_core._runtime.process import HandlerProcess
from tasker_core._transport.channel import Channel, open_channel
from tasker_core._version import __version__
from tasker_core.handler import HandlerRegistry

# Sixteen blocking handlers at once suit a process that mostly waits for other services, and a
# CPU-bound handler cannot use more. Trivial handlers gain about a third with 64.
DEFAULT_SLOTS = 16


def main(argv: Sequence[str] | None = None) -> int:
    """Console entry point. Returns the exit code: 0 after an orderly goodbye."""
    arguments = _parser().parse_args(argv)
    spec = os.environ.pop("TASKER_BRIDGE", None)
    if spec is None:
        print(
            "tasker-bridge: TASKER_BRIDGE is not set. This program is started by `tasker worker`; "
            "to join a running worker set TASKER_BRIDGE=unix:<path> or tcp:<host>:<port>.",
            file=sys.stderr,
        )
        return 64
    _line_buffer_output()
    logging.getLogger("tasker").setLevel(level_number(os.environ.get("TASKER_LOG_LEVEL") or "info"))
    try:
        # Before any handler is imported: user code must never see the descriptor.
        channel = open_channel(spec)
        options = ProcessOptions(
            slots=arguments.slots,
            pool=arguments.pool,
            worker_id=arguments.worker_id or _worker_id(),
            token=_token(),
        )
        return _serve(channel, _handler_paths(arguments.handlers), options)
    except (HandshakeError, OSError, ValueError) as error:
        print(f"tasker-bridge: {error}", file=sys.stderr, flush=True)
        return 1


def _serve(channel: Channel, paths: Sequence[Path], options: ProcessOptions) -> int:
    registry = HandlerRegistry.instance(skip_bootstrap=True)
    for path in paths:
        load_handlers(path, registry)
    try:
        return HandlerProcess(channel, registry, options).serve()
    finally:
        channel.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tasker-python-worker", description="Runs Tasker step handlers written in Python."
    )
    parser.add_argument(
        "--handlers",
        action="append",
        metavar="PATH",
        help="directory or file with handlers; may be repeated (default: $PYTHON_HANDLER_PATH)",
    )
    parser.add_argument(
        "--slots",
        type=_positive,
        default=DEFAULT_SLOTS,
        help="steps running at once (default: %(default)s)",
    )
    parser.add_argument("--pool", default="default", help="name of the pool (default: default)")
    parser.add_argument("--worker-id", default=None, help="name of this process in logs")
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {text}")
    return value


def _handler_paths(given: Sequence[str] | None) -> list[Path]:
    if given:
        return [Path(each) for each in given]
    fallback = os.environ.get("PYTHON_HANDLER_PATH")
    if not fallback:
        raise ValueError("no handlers: give --handlers PATH or set PYTHON_HANDLER_PATH")
    return [Path(fallback)]


def _worker_id() -> str:
    return f"python-{socket.gethostname()}-{os.getpid()}"


def _token() -> str | None:
    path = os.environ.pop("TASKER_BRIDGE_TOKEN_FILE", None)
    return None if path is None else Path(path).read_text(encoding="utf-8").strip()


def _line_buffer_output() -> None:
    # A pipe would be block-buffered: lines would reach the host's log long after the print.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
