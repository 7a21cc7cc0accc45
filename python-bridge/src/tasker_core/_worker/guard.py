"""Runs a command for as long as this process's standard input stays open.

Started by `HostProcess` as a plain script. The kernel closes the pipe when the program that
started it ends, however it ends: the host is then asked to stop, and killed when it does not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

STOP_SECONDS = 30.0


def main(command: list[str]) -> int:
    host = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_watch, args=(host,), daemon=True).start()
    return host.wait()


def _watch(host: subprocess.Popen[bytes]) -> None:
    # Not sys.stdin: its lock would have to be waited for at the interpreter's end.
    while os.read(0, 4096):
        pass
    host.terminate()
    try:
        host.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        host.kill()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.exit(code if code >= 0 else 128 - code)
