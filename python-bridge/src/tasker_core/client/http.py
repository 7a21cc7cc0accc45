"""One HTTP exchange with the server: JSON in, JSON out, errors with the server's own words."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from tasker_core._version import __version__
from tasker_core.client.settings import ClientSettings

MAX_BODY_BYTES = 64 * 1024 * 1024


class TaskerClientError(RuntimeError):
    """A request failed.

    `status_code` is None when there was no answer; `code` is the server's error code;
    `retry_after` is in seconds.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.retry_after = retry_after

    @property
    def is_transient(self) -> bool:
        """True when the same request may succeed later: no answer, or the server's own trouble."""
        return self.status_code is None or self.status_code >= 500


class HttpTransport:
    """A connection per request, so it may be used from any thread and survives forks."""

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self._url = urlsplit(settings.base_url)

    def send(
        self,
        operation: str,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
    ) -> Any:
        """The answer's JSON, None without one. Raises TaskerClientError ``<operation> failed``."""
        target = self._url.path.rstrip("/") + path
        wanted = {name: value for name, value in (query or {}).items() if value is not None}
        if wanted:
            target += "?" + urlencode(wanted)
        connection = self._connection()
        try:
            connection.request(method, target, body, self._headers(body))
            response = connection.getresponse()
            data = response.read(MAX_BODY_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise TaskerClientError(
                f"{operation} failed: no answer from {self.settings.base_url}: {why}"
            ) from error
        finally:
            connection.close()
        if len(data) > MAX_BODY_BYTES:
            raise TaskerClientError(
                f"{operation} failed: the answer is over {MAX_BODY_BYTES} bytes",
                status_code=response.status,
            )
        if not 200 <= response.status < 300:
            raise _refusal(operation, response, data)
        try:
            return json.loads(data) if data.strip() else None
        except ValueError as error:
            raise TaskerClientError(
                f"{operation} failed: the answer is not JSON: {data[:200]!r}",
                status_code=response.status,
            ) from error

    def _connection(self) -> http.client.HTTPConnection:
        kind = (
            http.client.HTTPSConnection
            if self._url.scheme == "https"
            else http.client.HTTPConnection
        )
        assert self._url.hostname is not None
        seconds = self.settings.timeout_ms / 1000
        return kind(self._url.hostname, self._url.port, timeout=seconds)

    def _headers(self, body: bytes | None) -> dict[str, str]:
        settings = self.settings
        headers = {"Accept": "application/json", "User-Agent": f"tasker-worker/{__version__}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if settings.auth_token:
            headers["Authorization"] = f"Bearer {settings.auth_token}"
        elif settings.api_key:
            headers[settings.api_key_header] = settings.api_key
        return headers


def _refusal(operation: str, response: http.client.HTTPResponse, data: bytes) -> TaskerClientError:
    code, detail = _error_of(data)
    status = f"{response.status} {response.reason}".strip()
    after = response.getheader("Retry-After") or ""
    return TaskerClientError(
        f"{operation} failed: {status}: {detail}" if detail else f"{operation} failed: {status}",
        status_code=response.status,
        code=code,
        retry_after=float(after) if after.isdigit() else None,
    )


def _error_of(data: bytes) -> tuple[str | None, str]:
    """(code, text) of both servers' error bodies; other bodies are their own text."""
    text = data[:2000].decode("utf-8", "replace").strip()
    try:
        parsed: Any = json.loads(data)
    except ValueError:
        return None, text
    if not isinstance(parsed, dict):
        return None, text
    body = cast("dict[str, Any]", parsed)
    error = body.get("error")
    if isinstance(error, dict):
        inner = cast("dict[str, Any]", error)
        return inner.get("code"), str(inner.get("message") or text)
    if isinstance(error, str):
        return error, str(body.get("message") or error)
    return None, text
