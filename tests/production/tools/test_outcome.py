"""Whether a tool's result is a success."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from memcubed.messages.model import Role, ToolResult, Turn
from memcubed.production.tools.outcome import read_outcome

FAILURES = (
    ('{"error": "city not found"}', "city not found"),
    ('{"error": {"code": 404, "message": "no such city"}}', "HTTP 404"),
    ('{"error": {"type": "rate_limit", "message": "slow down"}}', "rate_limit"),
    ('{"errors": [{"message": "ValueError: bad date"}]}', "ValueError"),
    ('{"exception": "requests.exceptions.Timeout: 10 s"}', "requests.exceptions.Timeout"),
    ('{"status": 503, "message": "try later"}', "HTTP 503"),
    ('{"status_code": "429"}', "HTTP 429"),
    ('{"code": 10001, "msg": "参数错误"}', "code 10001"),
    ('{"success": false, "message": "closed"}', "error"),
    ('{"status": "failed"}', "error"),
    ('{"status": "失败"}', "error"),
    ('{"isError": true, "content": [{"type": "text", "text": "quota"}]}', "error"),
    ("Error: connection refused", "error"),
    ("TimeoutError: timed out after 10s", "TimeoutError"),
    ("Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'city'", "KeyError"),
    ("404 Not Found", "HTTP 404"),
    ("HTTP 500: Internal Server Error", "HTTP 500"),
    ("HTTP/1.1 502 Bad Gateway", "HTTP 502"),
    ("Tool call failed: no such tool", "error"),
    ("调用失败：网络不通", "error"),
    ("错误：城市不存在", "error"),
    ("查询超时，请稍后再试", "error"),
)
SUCCESSES = (
    '{"temperature": "7°C", "condition": "Cloudy"}',
    '{"error": null, "result": 3}',
    '{"errors": [], "code": 0, "msg": "success"}',
    '{"error": "", "data": 1}',
    '{"code": 200, "message": "ok"}',
    '{"code": 600519, "name": "贵州茅台"}',
    '{"status": "delivered"}',
    '{"temperature": 451}',
    '{"page": 404, "text": "the room number is 404"}',
    '[{"title": "How to fix a TypeError in Python"}]',
    "7°C, Cloudy",
    "No errors found.",
    "0 failed, 12 passed",
    "Flight 404 leaves at 9:30",
    "errors: 0",
    "北京今天多云，7°C。",
    "The paper discusses failure modes of bridges.",
    "",
)


def result(content: str, *, is_error: bool = False) -> Turn:
    mark = ToolResult("call_1", None, is_error)
    return Turn(uuid4(), Role.TOOL, content, datetime(2025, 6, 10, tzinfo=UTC), tool_result=mark)


@pytest.mark.parametrize(("content", "error_type"), FAILURES)
def test_a_failure_is_known_by_its_shape(content: str, error_type: str) -> None:
    assert read_outcome(result(content)).error_type == error_type


@pytest.mark.parametrize("content", SUCCESSES)
def test_what_only_speaks_of_errors_is_a_success(content: str) -> None:
    assert read_outcome(result(content)).succeeded


def test_the_message_itself_can_say_that_the_call_failed() -> None:
    assert read_outcome(result("quota", is_error=True)).error_type == "error"


def test_json_is_shown_as_a_person_would_read_it() -> None:
    content = json.dumps({"now": {"temperature": "7°C", "wind": None}, "days": ["Mon", "Tue"]}, ensure_ascii=False)
    assert read_outcome(result(content)).shown == "temperature: 7°C; days: Mon; days: Tue"


@pytest.mark.parametrize("content", ["[" * 5000, '{"a": ' * 3000, "9" * 5000, '{"code": ' + "9" * 4000 + "}"])
def test_no_result_is_too_odd_to_be_read(content: str) -> None:
    assert len(read_outcome(result(content)).shown) <= 400
