"""Whether a tool's result is a success, read from its shape: no result says so in one agreed way."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from memcubed.language.cleaning import printable
from memcubed.language.sentences import clip
from memcubed.messages.model import Turn

_SHOWN: Final = 400
_TYPE: Final = 60
_DEPTH: Final = 6
_MAX_LEAVES: Final = 30
_LEAST_HTTP_ERROR: Final = 400
_MOST_HTTP_ERROR: Final = 599

_ERROR_FIELDS: Final = ("error", "errors", "exception", "err", "error_message", "errorMessage", "errmsg", "error_msg")
_CODE_FIELDS: Final = ("status_code", "statusCode", "http_status", "httpStatus", "status", "code", "errcode", "errno")
_APPLICATION_CODES: Final = ("code", "errcode", "errno")
_TYPE_FIELDS: Final = ("type", "code", "name", "error_type", "status")
_SAYS_FAILED: Final = frozenset(
    {"error", "failed", "failure", "fail", "timeout", "exception", "denied", "失败", "错误", "异常", "出错", "超时"}
)
_FAILED_MESSAGE: Final = re.compile(
    r"\b(?:error|failed|failure|invalid|not found|denied|unauthori[sz]ed|forbidden|timed? ?out|exception|unable"
    r"|cannot)\b"
    r"|失败|错误|异常|出错|超时|无效|不存在|未找到|无法|拒绝",
    re.IGNORECASE,
)
_FAILED_TEXT: Final = re.compile(
    r"^\W{0,3}(?:(?:an?|the|tool|api|server|internal|unknown|unexpected|network|runtime|request|validation)[ :])?"
    r"(?:errors?|exception|traceback|failed|failure|fatal|timed out|timeout)\b"
    r"(?!\s*(?:=|:)?\s*(?:0|none|null|false)\b)"
    r"|^\W{0,3}(?:工具|接口|函数|服务|网络)?(?:调用|请求|执行|查询|操作|获取|连接|访问|搜索)?(?:错误|失败|异常|出错|超时)"
    r"|\b(?:call|request|execution|query|lookup|tool) (?:has )?(?:failed|timed out)\b",
    re.IGNORECASE,
)
_EXCEPTION: Final = re.compile(
    r"\b((?:[a-z_]\w*\.)*(?=[A-Z])(?:\w+(?:Error|Exception|Refused)|\w*Timeout))\b(?=\s*[:(]|\s*$)", re.MULTILINE
)
_TRACEBACK: Final = "Traceback (most recent call last)"
_HTTP: Final = re.compile(
    r"^\W{0,3}(?:HTTP(?:/[\d.]+)?|status(?: code)?|code|error)?[ :=]*([45]\d\d)\b(?=\W*(?:$|[A-Z:]))"
    r"|\bHTTP(?:/[\d.]+)?[ :=]*([45]\d\d)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended. `error_type` is None for a success; `shown` is the result as a person would read it."""

    error_type: str | None
    shown: str

    @property
    def succeeded(self) -> bool:
        """Whether nothing says that it failed."""
        return self.error_type is None


def read_outcome(result: Turn) -> Outcome:
    """How the call ended that a tool's message answers."""
    text = printable(result.content).strip()
    parsed = _parsed(text)
    if isinstance(parsed, dict | list):
        error = _error_of(parsed) if isinstance(parsed, dict) else None
        shown = clip("; ".join(_leaves(parsed)), _SHOWN)
    else:
        error = _error_in(text if parsed is None else str(parsed))
        shown = clip(" ".join(text.split()), _SHOWN)
    if error is None and result.tool_result is not None and result.tool_result.is_error:
        error = "error"
    return Outcome(None if error is None else clip(" ".join(error.split()), _TYPE), shown)


def flatten(text: str) -> str:
    """JSON as `name: value` pairs; any other text as it is."""
    parsed = _parsed(text)
    return "; ".join(_leaves(parsed)) if isinstance(parsed, dict | list) else " ".join(text.split())


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _error_of(result: Mapping[str, Any]) -> str | None:
    """What kind of failure an object tells of, or None."""
    for name in _ERROR_FIELDS:
        if name in result and _is_said(result[name]):
            return _error_type(result[name], result)
    if result.get("isError") is True or result.get("is_error") is True:
        return _error_in(" ".join(_leaves(result))) or "error"
    for name in ("success", "ok", "succeeded"):
        if result.get(name) is False:
            return _code_of(result) or "error"
    code = _code_of(result)
    if code is not None:
        return code
    status = result.get("status") or result.get("result")
    if isinstance(status, str) and status.strip().casefold() in _SAYS_FAILED:
        return "error"
    return None


def _is_said(error: object) -> bool:
    if isinstance(error, str):
        return error.strip().casefold() not in {"", "0", "none", "null", "ok", "no", "false", "success", "无"}
    return bool(error)


def _error_type(error: object, result: Mapping[str, Any]) -> str:
    if isinstance(error, list):
        error = error[0]
    if isinstance(error, dict):
        for name in _TYPE_FIELDS:
            if isinstance(error.get(name), str | int) and not isinstance(error.get(name), bool) and error[name]:
                return _named(error[name])
        told = error.get("message")
        return _error_in(told) or told if isinstance(told, str) and told else "error"
    if isinstance(error, bool):
        return _code_of(result) or "error"
    return _error_in(str(error)) or _code_of(result) or _named(error)


def _named(code: object) -> str:
    number = _number(code)
    return f"HTTP {number}" if number is not None and _is_http_error(number) else str(code)


def _code_of(result: Mapping[str, Any]) -> str | None:
    for name in _CODE_FIELDS:
        number = _number(result.get(name))
        if number is None:
            continue
        if _is_http_error(number):
            return f"HTTP {number}"
        if name in _APPLICATION_CODES and number not in {0, 1, 200} and _message_says_failed(result):
            return f"{name} {number}"
    return None


def _message_says_failed(result: Mapping[str, Any]) -> bool:
    return any(_FAILED_MESSAGE.search(str(result.get(name, ""))) for name in ("message", "msg", "detail", "reason"))


def _number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value) else None


def _is_http_error(number: int) -> bool:
    return _LEAST_HTTP_ERROR <= number <= _MOST_HTTP_ERROR


def _error_in(text: str) -> str | None:
    """What kind of failure a text tells of, or None."""
    opening = text[:_SHOWN]
    raised = _EXCEPTION.search(text[-_SHOWN:] if _TRACEBACK in text else opening)
    if raised and (_TRACEBACK in text or raised.start() == 0 or _FAILED_TEXT.search(opening)):
        return raised.group(1)
    http = _HTTP.search(opening)
    if http:
        return f"HTTP {http.group(1) or http.group(2)}"
    if _TRACEBACK in text:
        return "exception"
    return "error" if _FAILED_TEXT.search(opening) else None


def _leaves(value: object, name: str = "", depth: int = 0) -> list[str]:
    if isinstance(value, dict) and depth < _DEPTH:
        found = [leaf for key, inner in value.items() for leaf in _leaves(inner, str(key), depth + 1)]
    elif isinstance(value, list) and depth < _DEPTH:
        found = [leaf for inner in value for leaf in _leaves(inner, name, depth + 1)]
    elif value is None or value == "" or isinstance(value, dict | list):
        found = []
    else:
        text = " ".join(str(value).split())
        found = [f"{name}: {text}" if name else text]
    return found[:_MAX_LEAVES]


def leaf_values(text: str) -> Iterator[str]:
    """The values of JSON arguments without their names; of any other text the text."""
    parsed = _parsed(text)
    if isinstance(parsed, dict | list):
        yield from (leaf.partition(": ")[2] or leaf for leaf in _leaves(parsed))
    elif text.strip():
        yield " ".join(text.split())
