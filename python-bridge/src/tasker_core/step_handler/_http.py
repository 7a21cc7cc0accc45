"""An HTTP client with the few httpx members the API mixin uses, on the standard library."""

from __future__ import annotations

import http.client
import json as json_module
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from email.message import Message
from typing import Any

from tasker_core.errors import NetworkError
from tasker_core.errors import TimeoutError as StepTimeoutError

_MAX_RESPONSE_BYTES = 64 * 1024 * 1024


class HttpResponse:
    """One response, read completely."""

    def __init__(self, status_code: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status_code = status_code
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.content = content

    @property
    def text(self) -> str:
        message = Message()
        message["content-type"] = self.headers.get("content-type", "")
        charset = message.get_content_charset() or "utf-8"
        try:
            return self.content.decode(charset, "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        return json_module.loads(self.content)


class HttpClient:
    """`timeout` is in seconds. Error statuses are answers, not exceptions."""

    def __init__(self, base_url: str, timeout: float, headers: Mapping[str, str]) -> None:
        self._base_url = base_url
        self._timeout = timeout
        self._headers = dict(headers)
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=ssl.create_default_context()), _NoRedirect()
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        """Raises errors.NetworkError or errors.TimeoutError when there is no response at all."""
        body, content_type = _encode(json, data)
        merged = {**self._headers, **(headers or {})}
        if content_type and not any(name.lower() == "content-type" for name in merged):
            merged["Content-Type"] = content_type
        url = self._url(path, params)
        request = urllib.request.Request(url, body, merged, method=method.upper())
        try:
            with self._opener.open(request, timeout=timeout or self._timeout) as response:
                return _read(response.status, response.headers, response)
        except urllib.error.HTTPError as error:
            with error:
                return _read(error.code, error.headers, error)
        except TimeoutError as error:
            raise StepTimeoutError(f"{method} {url}: no response in time") from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise StepTimeoutError(f"{method} {url}: no response in time") from error
            raise NetworkError(f"{method} {url}: {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            raise NetworkError(f"{method} {url}: {error!r}") from error

    def close(self) -> None:
        """Nothing stays open between requests."""

    def _url(self, path: str, params: Mapping[str, Any] | None) -> str:
        absolute = path.startswith(("http://", "https://"))
        url = path if absolute or not self._base_url else _join(self._base_url, path)
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"expected an http(s) URL, got {url!r}; set base_url on the handler")
        if not params:
            return url
        pairs = {name: _parameter(value) for name, value in params.items() if value is not None}
        return f"{url}{'&' if '?' in url else '?'}{urllib.parse.urlencode(pairs, doseq=True)}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are answers too, as they are with httpx."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _read(status: int, headers: Any, stream: Any) -> HttpResponse:
    content = stream.read(_MAX_RESPONSE_BYTES + 1)
    if len(content) > _MAX_RESPONSE_BYTES:
        raise NetworkError(f"response larger than {_MAX_RESPONSE_BYTES} bytes")
    return HttpResponse(status, dict(headers.items()), content)


def _join(base: str, path: str) -> str:
    return f"{base.rstrip('/')}/{path.lstrip('/')}" if path else base


def _encode(json: Any, data: Any) -> tuple[bytes | None, str | None]:
    if json is not None:
        return json_module.dumps(json, allow_nan=False).encode(), "application/json"
    if data is None:
        return None, None
    if isinstance(data, Mapping):
        form = urllib.parse.urlencode(data, doseq=True)  # pyright: ignore[reportUnknownArgumentType]
        return form.encode(), "application/x-www-form-urlencoded"
    return (data.encode(), None) if isinstance(data, str) else (bytes(data), None)


def _parameter(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
