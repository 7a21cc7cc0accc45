"""Runs a command for as long as this process's standard input stays open, then removes a folder.

Started by `HostProcess` as a plain script. The kernel closes the pipe when the program that
started it ends, however it ends: the host is then asked to stop, and killed when it does not. The folder
holds the host's socket and token, which a program that was killed cannot remove itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading

STOP_SECONDS = 30.0


def main(folder: str, command: list[str]) -> int:
    host = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_watch, args=(host,), daemon=True).start()
    try:
        return host.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
    code = main(sys.argv[1], sys.argv[2:])
    sys.exit(code if code >= 0 else 128 - code)
