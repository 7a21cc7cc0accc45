"""HTTP calls from a handler, and their mapping to step results."""

from __future__ import annotations

import http
import importlib
import importlib.util
from typing import Any, ClassVar, cast

from tasker_core.types.results import StepHandlerResult

_ERROR_TYPES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    410: "gone",
    422: "unprocessable_entity",
    429: "rate_limited",
    500: "internal_server_error",
    502: "bad_gateway",
    503: "service_unavailable",
    504: "gateway_timeout",
}
_RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})
_DETAIL_KEYS = ("error", "message", "detail", "error_message", "msg")


class ApiResponse:
    """A response: `body` is parsed JSON when the content type says so, else text."""

    def __init__(self, response: Any, body: Any = None) -> None:
        self.raw_response = response
        self.status_code: int = response.status_code
        self.headers: dict[str, str] = {str(k): str(v) for k, v in dict(response.headers).items()}
        self.body: Any = _body(response, self.headers) if body is None else body

    @property
    def ok(self) -> bool:
        return 200 <= self.status_code < 300

    @property
    def is_client_error(self) -> bool:
        return 400 <= self.status_code < 500

    @property
    def is_server_error(self) -> bool:
        return 500 <= self.status_code < 600

    @property
    def is_retryable(self) -> bool:
        return self.status_code in _RETRYABLE

    @property
    def retry_after(self) -> int | None:
        """Seconds of the `Retry-After` header; 60 when it is not a number."""
        given = _header(self.headers, "retry-after")
        if given is None:
            return None
        try:
            return int(given)
        except ValueError:
            return 60

    def to_dict(self) -> dict[str, Any]:
        return {"status_code": self.status_code, "headers": self.headers, "body": self.body}


class APIMixin:
    """HTTP methods for a handler. httpx is used when it can be imported."""

    base_url: ClassVar[str] = ""
    default_timeout: ClassVar[float] = 30.0
    default_headers: ClassVar[dict[str, str]] = {}
    _client: Any = None

    @property
    def client(self) -> Any:
        """The HTTP client, made on first use."""
        if self._client is None:
            self._client = _make_client(self.base_url, self.default_timeout, self.default_headers)
        return self._client

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:
            return  # the interpreter may be shutting down

    @property
    def api_capabilities(self) -> list[str]:
        return ["http", "api"]

    def get(
        self,
        path: str,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> ApiResponse:
        return self.request("GET", path, params=params, headers=headers, **kwargs)

    def post(
        self,
        path: str,
        json: Any = None,
        data: Any = None,
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> ApiResponse:
        return self.request("POST", path, json=json, data=data, headers=headers, **kwargs)

    def put(
        self,
        path: str,
        json: Any = None,
        data: Any = None,
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> ApiResponse:
        return self.request("PUT", path, json=json, data=data, headers=headers, **kwargs)

    def patch(
        self,
        path: str,
        json: Any = None,
        data: Any = None,
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> ApiResponse:
        return self.request("PATCH", path, json=json, data=data, headers=headers, **kwargs)

    def delete(
        self, path: str, headers: dict[str, str] | None = None, **kwargs: Any
    ) -> ApiResponse:
        return self.request("DELETE", path, headers=headers, **kwargs)

    def request(self, method: str, path: str, **kwargs: Any) -> ApiResponse:
        """Any method. An error status is an answer; no answer at all raises."""
        return ApiResponse(self.client.request(method, path, **kwargs))

    def api_success(
        self,
        response: ApiResponse,
        result: dict[str, Any] | None = None,
        include_response: bool = True,
    ) -> StepHandlerResult:
        if result is None:
            body = response.body
            result = cast("dict[str, Any]", body) if isinstance(body, dict) else {"data": body}
        metadata: dict[str, Any] = {}
        if include_response:
            metadata = {"status_code": response.status_code, "headers": response.headers}
        return StepHandlerResult(True, result, metadata=metadata)

    def api_failure(self, response: ApiResponse, message: str | None = None) -> StepHandlerResult:
        metadata: dict[str, Any] = {
            "status_code": response.status_code,
            "headers": response.headers,
        }
        if response.retry_after is not None:
            metadata["retry_after_seconds"] = response.retry_after
        if response.body:
            metadata["response_body"] = response.body
        text = f"HTTP {response.status_code}: {_detail(response)}" if message is None else message
        return StepHandlerResult.failure(
            text, _error_type(response.status_code), response.is_retryable, metadata
        )

    def connection_error(
        self, error: BaseException, context: str | None = None
    ) -> StepHandlerResult:
        return _no_response("Connection error", "connection_error", error, context)

    def timeout_error(self, error: BaseException, context: str | None = None) -> StepHandlerResult:
        return _no_response("Request timeout", "timeout", error, context)


def _make_client(base_url: str, timeout: float, headers: dict[str, str]) -> Any:
    if importlib.util.find_spec("httpx") is None:
        # Imported here: http, ssl and email would be a fifth of every worker's start.
        from tasker_core.step_handler._http import HttpClient

        return HttpClient(base_url, timeout, headers)
    httpx = cast(Any, importlib.import_module("httpx"))
    return httpx.Client(base_url=base_url, timeout=timeout, headers=headers)


def _body(response: Any, headers: dict[str, str]) -> Any:
    if "application/json" in (_header(headers, "content-type") or ""):
        try:
            return response.json()
        except ValueError:
            return response.text
    return response.text


def _header(headers: dict[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name), None)


def _error_type(status: int) -> str:
    known = _ERROR_TYPES.get(status)
    if known is not None:
        return known
    if 400 <= status < 500:
        return "client_error"
    return "server_error" if 500 <= status < 600 else "http_error"


def _detail(response: ApiResponse) -> str:
    body: Any = response.body
    if isinstance(body, dict):
        for key in _DETAIL_KEYS:
            found = cast("dict[str, Any]", body).get(key)
            if isinstance(found, dict):
                found = cast("dict[str, Any]", found).get("message")
            if isinstance(found, str):
                return found
    try:
        return http.HTTPStatus(response.status_code).phrase
    except ValueError:
        return "HTTP Error"


def _no_response(
    title: str, error_type: str, error: BaseException, context: str | None
) -> StepHandlerResult:
    where = f" while {context}" if context else ""
    return StepHandlerResult.failure(
        f"{title}{where}: {error}",
        error_type,
        True,
        {"exception_type": type(error).__name__},
    )
