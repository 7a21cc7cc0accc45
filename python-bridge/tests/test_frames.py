"""The shared vectors of test/conformance/bridge: frames, headers, values, handshake."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from host import VECTORS
from tasker_core._protocol import json_text
from tasker_core._protocol.frame import Frame, FrameFault, FrameSplitter, encode_frame
from tasker_core._protocol.handshake import choose_protocol, proof, proof_matches
from tasker_core._protocol.messages import MESSAGES, HeaderError, check_header, read_header


def vectors(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def named(items: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(item, id=item["name"]) for item in items]


def as_listed(item: Frame | FrameFault) -> dict[str, Any]:
    """An item in the vectors' words."""
    if isinstance(item, FrameFault):
        if item.kind == "bad_frame":
            return {"error": "bad_frame"}
        try:
            return {"error": "too_large", "header": read_header(item.header)}
        except HeaderError:
            return {"error": "too_large", "header": None}
    try:
        return {"header": read_header(item.header), "body": item.body}
    except HeaderError as error:
        return {"error": error.code}


def expected(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for item in items:
        if "error" in item:
            found.append(item)
        elif "body_hex" in item:
            found.append({"header": item["header"], "body": bytes.fromhex(item["body_hex"])})
        else:
            found.append({"header": item["header"], "body": item["body_utf8"].encode()})
    return found


def read_all(chunks: list[bytes], max_frame: int) -> tuple[list[dict[str, Any]], str]:
    splitter = FrameSplitter(max_frame)
    items = [as_listed(item) for chunk in chunks for item in splitter.feed(chunk)]
    return items, "truncated" if splitter.has_partial else "clean"


@pytest.mark.parametrize("vector", named(vectors("frames")))
def test_frames_are_the_same_for_every_cut(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    limit = vector.get("max_frame", 16 * 1024 * 1024)
    want = expected(vector["expect"]), vector["at_end"]
    assert read_all([data], limit) == want
    assert read_all([data[i : i + 1] for i in range(len(data))], limit) == want
    for cut in range(1, len(data)):
        assert read_all([data[:cut], data[cut:]], limit) == want, f"cut at {cut}"


@pytest.mark.parametrize("vector", named([v for v in vectors("frames") if v["reencode"]]))
def test_frames_encode_to_the_same_bytes(vector: dict[str, Any]) -> None:
    parts = [
        encode_frame(json_text.dumps(item["header"]), item["body"])
        for item in expected(vector["expect"])
    ]
    assert b"".join(parts).hex() == vector["hex"]


def test_random_bytes_never_raise_and_never_hoard() -> None:
    random.seed(7)
    valid = encode_frame(b'{"type":"ping","n":1}', b"body")
    for _ in range(3000):
        splitter = FrameSplitter(2048)
        data = bytearray(valid * 3)
        for _ in range(random.randint(0, 4)):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        for start in range(0, len(data), 7):
            for item in splitter.feed(bytes(data[start : start + 7])):
                as_listed(item)
        assert len(splitter._rest) <= 2048 + 8 + 65_536


@pytest.mark.parametrize("vector", named(vectors("headers")))
def test_headers(vector: dict[str, Any]) -> None:
    receivers = ["host", "handler"] if vector["to"] == "both" else [vector["to"]]
    for receiver in receivers:
        try:
            header = read_header(vector["text"].encode())
            check_header(header, receiver)  # type: ignore[arg-type]
            found = "ok"
        except HeaderError as error:
            found = error.code
        assert found == vector["expect"], receiver


def test_the_message_table_has_the_fields_of_the_schemas() -> None:
    directions = {
        "host_to_handler": {"handler"},
        "handler_to_host": {"host"},
        "both": {"handler", "host"},
    }
    files = sorted((VECTORS / "schemas").glob("*.json"))
    assert sorted(MESSAGES) == [file.stem for file in files]
    for file in files:
        schema = json.loads(file.read_text(encoding="utf-8"))
        shape = MESSAGES[file.stem]
        required = set(schema["required"]) - {"type"}
        assert set(shape.required) == required, file.stem
        assert set(shape.optional) == set(schema["properties"]) - required - {"type"}, file.stem
        assert shape.receivers == directions[schema["x-direction"]], file.stem


def text_of(vector: dict[str, Any]) -> bytes:
    if "hex" in vector:
        return bytes.fromhex(vector["hex"])
    if "repeat" in vector:
        return (vector["repeat"]["text"] * vector["repeat"]["times"]).encode()
    return vector["text"].encode("utf-8", "surrogatepass")


@pytest.fixture(params=["standard", "orjson"])
def json_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of the codec, whatever is installed."""
    if request.param == "standard":
        monkeypatch.setattr(json_text, "_orjson", None)
        monkeypatch.setattr(json_text, "_parse", json_text._parse_standard)
        monkeypatch.setattr(json_text, "_write", json_text._write_standard)
    elif json_text._orjson is None:
        pytest.skip("orjson is not installed")


@pytest.mark.usefixtures("json_library")
@pytest.mark.parametrize("vector", named(vectors("values")))
def test_values(vector: dict[str, Any]) -> None:
    data = text_of(vector)
    if not vector["accept"]:
        with pytest.raises(json_text.JsonTextError):
            json_text.loads(data)
        return
    value = json_text.loads(data)
    if "same" in vector:
        assert json_text.dumps(value).decode() == vector["same"]
    if "value" in vector:
        assert value == vector["value"]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.usefixtures("json_library")
@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [1, {"b": float("nan")}]}, "$.a[1].b"),
        ({"a": float("inf")}, "$.a"),
        ({"a": object()}, "$.a"),
        ({"a": "\ud800"}, "$.a"),
        ({"\ud800": 1}, "$.\ud800"),
        ({"a": ["x\0y"]}, "$.a[0]"),
        ({"a": {(1, 2): 3}}, "$.a.(1, 2)"),
        (nested(65), "$" + "[0]" * 64),
    ],
    ids=["nan", "infinity", "object", "surrogate", "surrogate key", "nul", "tuple key", "depth"],
)
def test_what_json_cannot_hold_is_refused_with_its_path(value: Any, path: str) -> None:
    with pytest.raises(json_text.NotJsonError) as caught:
        json_text.dumps(value)
    assert caught.value.path == path


@pytest.mark.usefixtures("json_library")
def test_damaged_texts_are_read_or_refused_and_nothing_else() -> None:
    random.seed(11)
    text = json.dumps({"a": [1, 2.5e10, "gr\u00fc\U0001f600"], "b": {"c": None, "d": "\\u0000"}})
    for _ in range(5000):
        data = bytearray(text.encode())
        for _ in range(random.randint(1, 3)):
            data[random.randrange(len(data))] = random.choice(b'\\"{}[]0eu-+.\x00\xff\xed')
        try:
            value = json_text.loads(bytes(data))
        except json_text.JsonTextError:
            continue
        # What may come in may go out again.
        assert json_text.loads(json_text.dumps(value)) == value


@pytest.mark.usefixtures("json_library")
def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(json_text.NotJsonError):
        json_text.dumps(value)


@pytest.mark.usefixtures("json_library")
def test_common_python_types_have_a_json_form() -> None:
    import datetime
    import decimal
    import uuid

    value = {
        "date": datetime.date(2026, 1, 2),
        "at": datetime.datetime(2026, 1, 2, 3, 4, 5),
        "id": uuid.UUID(int=1),
        "amount": decimal.Decimal("1.10"),
        "pair": (1, 2),
        "one": {1},
        3: None,
        "large": 2**70,
    }
    assert json.loads(json_text.dumps(value)) == {
        "date": "2026-01-02",
        "at": "2026-01-02T03:04:05",
        "id": "00000000-0000-0000-0000-000000000001",
        "amount": "1.10",
        "pair": [1, 2],
        "one": [1],
        "3": None,
        "large": 2**70,
    }


@pytest.mark.parametrize("vector", named(vectors("handshake")["versions"]))
def test_the_highest_common_version_is_chosen(vector: dict[str, Any]) -> None:
    assert choose_protocol(vector["host"], vector["handler"]) == vector["chosen"]


@pytest.mark.parametrize("vector", named(vectors("handshake")["proofs"]))
def test_proofs(vector: dict[str, Any]) -> None:
    host, handler, token = vector["host_nonce"], vector["handler_nonce"], vector["token"]
    assert proof("handler", token, host, handler) == vector["handler_proof"]
    assert proof("host", token, handler, host) == vector["host_proof"]
    assert proof_matches(vector["host_proof"], vector["host_proof"])


@pytest.mark.parametrize("vector", named(vectors("handshake")["wrong_proofs"]))
def test_wrong_proofs_do_not_match(vector: dict[str, Any]) -> None:
    right = proof("handler", vector["token"], vector["host_nonce"], vector["handler_nonce"])
    assert not proof_matches(right, vector["handler_proof"])
