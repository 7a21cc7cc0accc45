"""HTTP handlers against a real server, with httpx where installed and with the built-in client."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tasker_core import ApiHandler, ApiResponse, StepContext, StepHandlerResult
from tasker_core.errors import NetworkError
from tasker_core.errors import TimeoutError as StepTimeoutError
from tasker_core.step_handler._http import HttpClient


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked; `/status/<n>` with that status."""

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("content-length") or 0)
        sent = self.rfile.read(length).decode()
        if path == "/slow":
            time.sleep(2)
        status = int(path.split("/")[2]) if path.startswith("/status/") else 200
        body = json.dumps(
            {
                "method": self.command,
                "path": path,
                "query": query,
                "sent": sent,
                "type": self.headers.get("content-type"),
                "own": self.headers.get("x-own"),
                "error": {"message": "said so"} if status >= 400 else None,
            }
        ).encode()
        self.send_response(status)
        kind = "text/plain" if path == "/text" else "application/json; charset=utf-8"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "7")
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


class Client(ApiHandler):
    handler_name = "api"
    default_headers = {"X-Own": "yes"}

    def call(self, context: StepContext) -> StepHandlerResult:
        return self.success()


@pytest.fixture(params=["built-in", "httpx"])
def api(request: pytest.FixtureRequest, server: str) -> Iterator[Client]:
    handler = Client()
    if request.param == "httpx":
        httpx = pytest.importorskip("httpx")
        handler._client = httpx.Client(base_url=server, headers=Client.default_headers)
    else:
        handler._client = HttpClient(server, 10.0, Client.default_headers)
    yield handler
    handler.close()


def test_requests(api: Client) -> None:
    got = api.get("/a", params={"q": "x y", "n": 1})
    assert got.ok and got.body["path"] == "/a" and got.body["own"] == "yes"
    assert got.body["query"] in ("q=x+y&n=1", "q=x%20y&n=1")
    posted = api.post("/b", json={"k": [1]}, headers={"X-Own": "mine"})
    assert json.loads(posted.body["sent"]) == {"k": [1]}
    assert (posted.body["type"], posted.body["own"]) == ("application/json", "mine")
    assert api.put("/b", data={"k": "v"}).body["sent"] == "k=v"
    assert api.patch("/b", json=1).body["method"] == "PATCH"
    assert api.delete("/b").body["method"] == "DELETE"
    assert isinstance(api.get("/text").body, str)


@pytest.mark.parametrize(
    ("status", "error_type", "retryable"),
    [
        (400, "bad_request", False),
        (418, "client_error", False),
        (422, "unprocessable_entity", False),
        (429, "rate_limited", True),
        (501, "server_error", False),
        (503, "service_unavailable", True),
    ],
)
def test_error_statuses(api: Client, status: int, error_type: str, retryable: bool) -> None:
    response = api.get(f"/status/{status}")
    answer = api.api_failure(response)
    assert (answer.error_type, answer.retryable) == (error_type, retryable)
    assert answer.error_message == f"HTTP {status}: said so"
    assert answer.metadata["status_code"] == status
    assert answer.metadata.get("retry_after_seconds") == (7 if status == 429 else None)


def test_redirects_are_answers(api: Client) -> None:
    assert api.get("/status/302").status_code == 302


def test_success(api: Client) -> None:
    response = api.get("/a")
    assert api.api_success(response).result == response.body
    assert api.api_success(response, {"own": 1}, include_response=False).metadata == {}
    text = api.api_success(api.get("/text"))
    assert text.result is not None and isinstance(text.result["data"], str)


def test_the_built_in_client_raises_without_an_answer(server: str) -> None:
    with pytest.raises(StepTimeoutError, match="/slow"):
        HttpClient(server, 0.2, {}).request("GET", "/slow")
    with pytest.raises(NetworkError):
        HttpClient("http://127.0.0.1:1", 1.0, {}).request("GET", "/")
    with pytest.raises(ValueError, match="base_url"):
        HttpClient("", 1.0, {}).request("GET", "/x")


class Canned:
    def __init__(self, status: int, headers: dict[str, str], text: str) -> None:
        self.status_code, self.headers, self.text = status, headers, text

    def json(self) -> Any:
        return json.loads(self.text)


def test_responses_that_are_not_what_they_say() -> None:
    broken = ApiResponse(Canned(500, {"Content-Type": "application/json"}, "{oops"))
    assert broken.body == "{oops" and broken.is_server_error and broken.is_retryable
    odd = ApiResponse(Canned(429, {"Retry-After": "soon"}, ""))
    assert odd.retry_after == 60
    assert ApiResponse(Canned(204, {}, "")).retry_after is None
    failed = Client().api_failure(ApiResponse(Canned(429, {}, "")))
    assert failed.error_message == "HTTP 429: Too Many Requests"
    assert Client().api_failure(ApiResponse(Canned(799, {}, ""))).error_type == "http_error"


def test_no_answer_at_all() -> None:
    lost = Client().connection_error(OSError("gone"), "paying")
    assert lost.error_message == "Connection error while paying: gone"
    assert (lost.error_type, lost.metadata) == ("connection_error", {"exception_type": "OSError"})
    assert Client().timeout_error(OSError("x")).error_message == "Request timeout: x"
