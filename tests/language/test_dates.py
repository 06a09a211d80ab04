from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcubed.language.dates import find_times, resolve, without_times
from memcubed.language.detect import Language
from memcubed.language.spans import Granularity, Reference

# A Wednesday.
NOW = datetime(2024, 6, 12, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("昨天搬家", "昨天（2024-06-11）搬家"),
        ("大前天和前天", "大前天（2024-06-09）和前天（2024-06-10）"),
        ("昨晚没睡", "昨晚（2024-06-11）没睡"),
        ("明天下午3点开会", "明天下午3点（2024-06-13）开会"),
        ("上周二体检，下周五出差", "上周二（2024-06-04）体检，下周五（2024-06-21）出差"),
        ("上上周很忙", "上上周（2024-05-27~06-02）很忙"),
        ("上周末爬山", "上周末（2024-06-08~09）爬山"),
        ("这个星期天打球", "这个星期天（2024-06-16）打球"),
        ("上个月换了工作", "上个月（2024-05）换了工作"),
        ("下个月3号到8号休假", "下个月3号到8号（2024-07-03~08）休假"),
        ("上个月底", "上个月底（2024-05-21~31）"),
        ("去年国庆去了海边", "去年国庆（2023-10-01~07）去了海边"),
        ("明年3月12号复查", "明年3月12号（2025-03-12）复查"),
        ("三天前买的", "三天前（2024-06-09）买的"),
        ("两周前动的手术", "两周前（2024-05-27~06-02）动的手术"),
        ("半年前开始健身", "半年前（2023-12）开始健身"),
        ("今年春节回老家", "今年春节（2024-02-10~16）回老家"),
        ("周五要交稿", "周五（2024-06-14）要交稿"),
        ("周一去了牙科", "周一（2024-06-10）去了牙科"),
        ("12月28号就买了票", "12月28号（2023-12-28）就买了票"),
        ("机票从6月20号改到6月25号了", "机票从6月20号改到6月25号了"),
        ("体检推迟到周五了", "体检推迟到周五了"),
        (
            "My flight was rescheduled from June 20th to June 25th.",
            "My flight was rescheduled from June 20th to June 25th.",
        ),
        ("The party got moved to Friday.", "The party got moved to Friday."),
        ("I've slept badly since October.", "I've slept badly since October (2023-10)."),
        ("I've got a race on 11 July.", "I've got a race on 11 July."),
        ("The party was on Friday.", "The party was on Friday (2024-06-07)."),
        ("I moved house yesterday.", "I moved house yesterday (2024-06-11)."),
        ("the day after tomorrow", "the day after tomorrow (2024-06-14)"),
        ("dinner tomorrow at 7 pm", "dinner tomorrow at 7 pm (2024-06-13)"),
        ("We met last Friday", "We met last Friday (2024-06-07)"),
        ("next Tuesday works", "next Tuesday (2024-06-18) works"),
        ("I went there on Monday", "I went there on Monday (2024-06-10)"),
        ("I'll call on Monday", "I'll call on Monday (2024-06-17)"),
        ("a week on Sunday", "a week on Sunday (2024-06-23)"),
        ("last week was rough", "last week (2024-06-03~09) was rough"),
        ("the week before last", "the week before last (2024-05-27~06-02)"),
        ("last weekend", "last weekend (2024-06-08~09)"),
        ("four days ago", "four days ago (2024-06-08)"),
        ("I'm leaving in two weeks", "I'm leaving in two weeks (2024-06-24~30)"),
        ("last month, next year", "last month (2024-05), next year (2025)"),
        ("last summer, last October", "last summer (2023-06~08), last October (2023-10)"),
        ("last Christmas", "last Christmas (2023-12-25)"),
        ("周五聚餐别忘了", "周五（2024-06-14）聚餐别忘了"),
        ("周五聚餐，别忘了", "周五（2024-06-14）聚餐，别忘了"),
        ("记得周一交房租", "记得周一（2024-06-17）交房租"),
        ("周五约了牙医", "周五（2024-06-14）约了牙医"),
        ("周五准备搬家", "周五（2024-06-14）准备搬家"),
        ("周一吃过那家面", "周一（2024-06-10）吃过那家面"),
        ("See you Friday!", "See you Friday (2024-06-14)!"),
        ("Let's meet on Friday.", "Let's meet on Friday (2024-06-14)."),
        ("Don't forget the call on Monday", "Don't forget the call on Monday (2024-06-17)"),
        ("Remember to pay on Friday", "Remember to pay on Friday (2024-06-14)"),
        ("He moved here, but see you on Friday", "He moved here, but see you on Friday (2024-06-14)"),
        ("The exam is scheduled on Friday", "The exam is scheduled on Friday (2024-06-14)"),
        ("I met Ana on Friday", "I met Ana on Friday (2024-06-07)"),
        ("tomorrow's party", "tomorrow's (2024-06-13) party"),
    ],
)
def test_relative_times_get_their_date(text: str, expected: str) -> None:
    assert resolve(text, NOW) == expected
    assert resolve(expected, NOW) == expected


@pytest.mark.parametrize(
    "text",
    [
        "每周三晚上上课",
        "一周三次",
        "周四怎么样",
        "周四聚餐",
        "周五太忙了",
        "周五过敏科",
        "还记得周四那次聚餐吗",
        "dinner on Friday",
        "See you Monday to Friday",
        "两三天前",
        "十几年前",
        "手术三天后拆线",
        "坐3号线",
        "13812345678",
        "三个月的小猫",
        "从今以后天天跑步",
        "I may come",
        "Sun and sand",
        "wait a second",
        "1.5 litres",
        "call 020 7946 0958",
        "a 2000 word essay in 2000 words",
        "next Friday",  # in two days or in nine?
        "next weekend",
        "I read it in two weeks",
        "a few weeks ago",
        "over the last year",
        "We won 5-3, then went home",
        "31 June 2024 is no day",
        "march on",
    ],
)
def test_what_is_no_clear_date_is_left_alone(text: str) -> None:
    assert find_times(text, NOW) == []


@pytest.mark.parametrize(
    ("text", "start", "granularity"),
    [
        ("2023年11月5日签约", datetime(2023, 11, 5, tzinfo=UTC), Granularity.DAY),
        ("2023年11月签约", datetime(2023, 11, 1, tzinfo=UTC), Granularity.MONTH),
        ("7 May 2023", datetime(2023, 5, 7, tzinfo=UTC), Granularity.DAY),
        ("May 7th, 2023", datetime(2023, 5, 7, tzinfo=UTC), Granularity.DAY),
        ("since May 2023", datetime(2023, 5, 1, tzinfo=UTC), Granularity.MONTH),
        ("in 2019", datetime(2019, 1, 1, tzinfo=UTC), Granularity.YEAR),
        ("due 2024-07-01", datetime(2024, 7, 1, tzinfo=UTC), Granularity.DAY),
    ],
)
def test_absolute_dates_are_found_and_need_no_note(text: str, start: datetime, granularity: Granularity) -> None:
    (found,) = find_times(text, NOW)
    assert (found.span.start, found.span.granularity, found.reference) == (start, granularity, Reference.ABSOLUTE)
    assert text[found.start : found.end] == found.text
    assert resolve(text, NOW) == text


def test_the_year_is_only_added_when_it_is_another() -> None:
    assert resolve("6月20号考试", NOW) == "6月20号考试"
    assert resolve("I bought it on 28 December.", NOW) == "I bought it on 28 December (2023-12-28)."


def test_the_current_day_can_be_left_to_the_reader() -> None:
    assert resolve("今天下雨，昨天晴", NOW, current=False) == "今天下雨，昨天（2024-06-11）晴"
    assert resolve("today and this week", NOW) == "today (2024-06-12) and this week (2024-06-10~16)"


def test_a_day_begins_in_the_time_zone_of_now() -> None:
    shanghai = timezone(timedelta(hours=8))
    (found,) = find_times("昨天", datetime(2024, 6, 12, 1, tzinfo=shanghai))
    assert found.span.start == datetime(2024, 6, 11, tzinfo=shanghai)
    assert found.span.end == datetime(2024, 6, 12, tzinfo=shanghai)


def test_an_hour_narrows_the_day() -> None:
    (found,) = find_times("明天下午3点半", NOW)
    assert found.span.start == datetime(2024, 6, 13, 15, 30, tzinfo=UTC)
    assert found.span.granularity is Granularity.HOUR


def test_now_has_to_be_aware() -> None:
    with pytest.raises(ValueError, match="aware"):
        find_times("today", NOW.replace(tzinfo=None))


def test_times_can_be_blanked_out() -> None:
    assert without_times("上周二在医院", NOW).strip() == "在医院"


CHINESE_PARTS = [*"上下前后周三月号年9天", "12", "99", "2024", "初", "底"]
ENGLISH_PARTS = ["last", "next", "May", "7th", "31", "ago", "in", "week", "2024", "days", "June", "Friday", "the", "on"]


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.text(st.characters(codec=None), max_size=120),
        st.lists(st.sampled_from(CHINESE_PARTS), max_size=14).map("".join),
        st.lists(st.sampled_from(ENGLISH_PARTS), max_size=14).map(" ".join),
    ),
    st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from([None, Language.ZH, Language.EN]),
)
def test_any_text_is_read(text: str, now: datetime, language: Language | None) -> None:
    done = 0
    for found in find_times(text, now, language):
        assert done <= found.start < found.end <= len(text)
        assert found.span.start < found.span.end
        done = found.end
    assert len(resolve(text, now, language)) >= len(text)
