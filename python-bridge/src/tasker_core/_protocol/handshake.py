"""Handshake: version choice, proofs and the `hello` header (BRIDGE section 3)."""

from __future__ import annotations

import hashlib
import hmac
import os
import platform
import secrets
import socket
from collections.abc import Iterable
from typing import Any

from tasker_core._version import __version__

PROTOCOLS = (1,)
HANDSHAKE_SECONDS = 5.0


class HandshakeError(Exception):
    """The host and this process could not agree; the message names both sides."""


def choose_protocol(theirs: Iterable[int], ours: Iterable[int] = PROTOCOLS) -> int | None:
    """The highest major both speak, or None."""
    return max(set(theirs) & set(ours), default=None)


def proof(role: str, token: str, peer_nonce: str, own_nonce: str) -> str:
    """Lower-case hex of HMAC-SHA256(token, role, peer nonce, own nonce)."""
    text = f"{role}{peer_nonce}{own_nonce}".encode("ascii")
    return hmac.new(token.encode(), text, hashlib.sha256).hexdigest()


def proof_matches(expected: str, given: object) -> bool:
    """Constant-time comparison; anything but text is wrong."""
    return isinstance(given, str) and hmac.compare_digest(expected.encode(), given.encode())


def hello_header(
    challenge: dict[str, Any],
    *,
    worker_id: str,
    max_frame: int,
    pools: list[dict[str, Any]],
    token: str | None,
) -> dict[str, Any]:
    """The answer to `challenge`. Raises HandshakeError when no version or no token fits."""
    protocol = choose_protocol(challenge["protocols"])
    if protocol is None:
        raise HandshakeError(
            f"the host speaks bridge protocols {challenge['protocols']}, tasker-bridge "
            f"{__version__} speaks {list(PROTOCOLS)}; upgrade the older of the two"
        )
    header: dict[str, Any] = {
        "type": "hello",
        "protocol": protocol,
        "features": [],
        "language": "python",
        "language_version": platform.python_version(),
        "sdk_version": __version__,
        "worker_id": worker_id,
        "pid": os.getpid(),
        "hostname": socket.gethostname(),
        "max_frame": max_frame,
        "pools": pools,
    }
    if challenge["auth"] == "hmac":
        if token is None:
            raise HandshakeError("the host asks for a proof; set TASKER_BRIDGE_TOKEN_FILE")
        nonce = secrets.token_hex(16)
        header["nonce"] = nonce
        header["proof"] = proof("handler", token, challenge["nonce"], nonce)
    return header


def check_welcome(
    welcome: dict[str, Any], challenge: dict[str, Any], hello: dict[str, Any], token: str | None
) -> None:
    """Raises HandshakeError when the host chose another protocol or cannot prove itself."""
    if welcome["protocol"] != hello["protocol"]:
        raise HandshakeError(
            f"offered protocol {hello['protocol']}, the host answered {welcome['protocol']}"
        )
    if challenge["auth"] == "hmac":
        expected = proof("host", token or "", hello["nonce"], challenge["nonce"])
        if not proof_matches(expected, welcome.get("proof")):
            raise HandshakeError("the host's proof is wrong: it does not know the token")
