from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcubed.contract.times import parse_time
from memcubed.errors import InvalidRequestError

NOW = datetime(2025, 6, 10, 6, 30, tzinfo=UTC)  # a Tuesday, 14:30 in Shanghai
SHANGHAI = ZoneInfo("Asia/Shanghai")


def parsed(value: object, zone: ZoneInfo = SHANGHAI) -> str:
    moment = parse_time(value, "chat_time", zone=zone, now=NOW)
    assert moment.tzinfo is UTC
    return moment.strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("value", "utc"),
    [
        # ISO 8601
        ("2025-06-10T14:30:00+08:00", "2025-06-10 06:30:00"),
        ("2025-06-10T06:30:00Z", "2025-06-10 06:30:00"),
        ("2025-06-10T06:30:00.123456Z", "2025-06-10 06:30:00"),
        ("2025-06-10T14:30", "2025-06-10 06:30:00"),
        ("2025-06-10 14:30:00", "2025-06-10 06:30:00"),
        ("2025-06-10 14:30:00.250", "2025-06-10 06:30:00"),
        (" 2025-06-10 14:30:00 ", "2025-06-10 06:30:00"),
        ("2025-06-10", "2025-06-09 16:00:00"),
        # loosely written
        ("2025/6/10 9:05", "2025-06-10 01:05:00"),
        ("2025.6.10", "2025-06-09 16:00:00"),
        # epoch
        (1749537000, "2025-06-10 06:30:00"),
        (1749537000.5, "2025-06-10 06:30:00"),
        (1749537000123, "2025-06-10 06:30:00"),
        ("1749537000", "2025-06-10 06:30:00"),
        ("1749537000123", "2025-06-10 06:30:00"),
        (0, "1970-01-01 00:00:00"),
        (-86400, "1969-12-31 00:00:00"),
        # the future is allowed
        ("2099-01-01T00:00:00Z", "2099-01-01 00:00:00"),
        (4070908800000, "2099-01-01 00:00:00"),
        # words
        ("2025年6月10日", "2025-06-09 16:00:00"),
        ("2025年6月10日 14:30", "2025-06-10 06:30:00"),
        ("June 10, 2025", "2025-06-09 16:00:00"),
        ("10 June 2025 14:30", "2025-06-10 06:30:00"),
        ("昨天", "2025-06-08 16:00:00"),
        ("今天", "2025-06-09 16:00:00"),
        ("三天前", "2025-06-06 16:00:00"),
        ("yesterday", "2025-06-08 16:00:00"),
        ("3 days ago", "2025-06-06 16:00:00"),
        ("昨天下午三点", "2025-06-09 07:00:00"),
        ("yesterday at 3pm", "2025-06-09 07:00:00"),
    ],
)
def test_what_clients_send(value: object, utc: str) -> None:
    assert parsed(value) == utc


def test_a_time_without_a_zone_is_read_in_the_projects() -> None:
    assert parsed("2025-06-10 14:30:00", ZoneInfo("UTC")) == "2025-06-10 14:30:00"
    assert parsed("2025-06-10 14:30:00", ZoneInfo("America/New_York")) == "2025-06-10 18:30:00"


@pytest.mark.parametrize(
    "value",
    ["", "soon", "whenever", "很久以前", "2025-13-01", "2025-02-30", "nan", "inf", "-", "0x10", "1e300",
     None, True, [], {}, 10**400, float("nan"), float("inf"), "1899-12-31", "2201-01-01"],
)  # fmt: skip
def test_nonsense_is_refused_and_the_field_named(value: object) -> None:
    with pytest.raises(InvalidRequestError, match="chat_time"):
        parsed(value)


PIECES = st.lists(
    st.sampled_from(
        ["昨天", "前天", "下午", "三点", "年", "月", "日", "上周", "五", "世纪", "yesterday", "at", "3pm", "last",
         "week", "June", "ago", "in", "days", "2025", "13", "-", "/", ":", ".", "T", "Z", "+08:00", " ", "NaN",
         "9" * 12, "٣", "Ⅻ", "²"]
    )
    | st.text(max_size=4),
    max_size=8,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(PIECES.map("".join) | PIECES.map(" ".join) | st.floats() | st.integers())
def test_anything_is_a_time_or_refused(value: object) -> None:
    try:
        moment = parse_time(value, "chat_time", zone=SHANGHAI, now=NOW)
    except InvalidRequestError:
        return
    assert 1899 <= moment.year <= 2201
    assert moment.tzinfo is UTC
