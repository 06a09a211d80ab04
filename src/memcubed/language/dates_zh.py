"""Chinese expressions of time."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from memcubed.language.date_rules import Candidate, Context, Reading, Rule, read
from memcubed.language.numerals import CHINESE_NUMBER as NUM
from memcubed.language.numerals import chinese
from memcubed.language.spans import (
    Reference,
    Stretch,
    day,
    days,
    month,
    months,
    nearest,
    shifted_month,
    week,
    weekend,
    year,
)
from memcubed.language.tense import chinese_reminder, chinese_tense

_CLAUSE: Final = re.compile(r"[，,。！？!?；;、\n：]")
_SENTENCE: Final = re.compile(r"[。！？!?；;\n]")

_PARTS: Final[dict[str, tuple[float, float]]] = {
    "凌晨": (0, 6), "清晨": (5, 8), "早晨": (5, 9), "一早": (5, 9), "大早": (5, 9), "早上": (5, 10), "上午": (8, 12),
    "中午": (11, 14), "下午": (12, 18), "傍晚": (17, 20), "晚上": (18, 24), "夜里": (18, 24), "半夜": (18, 24),
    "早": (5, 10), "晚": (18, 24), "夜": (18, 24), "晨": (5, 9),
}  # fmt: skip
_LATE: Final = frozenset({"下午", "傍晚", "晚上", "夜里", "晚", "夜"})
_PART: Final = (
    r"(?:的?(?P<part>凌晨|清晨|早晨|一?大早|一早|早上|上午|中午|下午|傍晚|晚上|夜里|半夜)"
    rf"(?:(?P<hour>{NUM})(?:[点时](?P<half>半|一刻|三刻)?(?:\d{{1,2}}分?)?|[:：](?P<minute>\d\d)))?)?"
)
_DAYS: Final = {
    "大前天": -3, "前天": -2, "前日": -2, "前": -2, "昨天": -1, "昨日": -1, "昨儿": -1, "昨": -1, "今天": 0, "今日": 0,
    "今儿": 0, "今": 0, "明天": 1, "明日": 1, "明儿": 1, "明": 1, "后天": 2, "大后天": 3,
}  # fmt: skip
_PERIODS: Final = {
    "上上": -2, "上": -1, "这": 0, "本": 0, "当": 0, "下": 1, "下下": 2,
}  # fmt: skip
_YEARS: Final = {"大前年": -3, "前年": -2, "去年": -1, "今年": 0, "本年": 0, "明年": 1, "后年": 2}
_WEEKDAYS: Final = {"一": 0, "二": 1, "三": 2, "四": 3, "五": 4, "六": 5, "日": 6, "天": 6}
_HOLIDAYS: Final = {
    "元旦": (1, 1, 1), "情人节": (2, 14, 1), "妇女节": (3, 8, 1), "五一": (5, 1, 5), "六一": (6, 1, 1),
    "儿童节": (6, 1, 1), "教师节": (9, 10, 1), "国庆": (10, 1, 7), "双十一": (11, 11, 1), "平安夜": (12, 24, 1),
    "圣诞": (12, 25, 1),
}  # fmt: skip
# New Year's day of the lunar calendar, 2000 to 2040, as month and day; each falls on a new moon in Beijing time.
_SPRING_FESTIVAL: Final = tuple(
    (int(text[0]), int(text[1:]))
    for text in [
        "205",
        "124",
        "212",
        "201",
        "122",
        "209",
        "129",
        "218",
        "207",
        "126",
        "214",
        "203",
        "123",
        "210",
        "131",
        "219",
        "208",
        "128",
        "216",
        "205",
        "125",
        "212",
        "201",
        "122",
        "210",
        "129",
        "217",
        "206",
        "126",
        "213",
        "203",
        "123",
        "211",
        "131",
        "219",
        "208",
        "128",
        "215",
        "204",
        "124",
        "212",
    ]
)
_SPRING_FIRST: Final = 2000
_HOLIDAY: Final = (
    r"(?P<holiday>元旦|情人节|妇女节|六一(?:儿童节)?|儿童节|教师节|国庆(?:节)?|圣诞(?:节)?|平安夜|双十一|暑假|春节"
    r"|(?<![一二三四五六七八九十第\d])五一(?:节|假期)?(?![一二三四五六七八九十\d]))"
)
_TENTHS: Final = {
    "初": (1, 10), "上旬": (1, 10), "中": (11, 20), "中旬": (11, 20), "下旬": (21, 31), "底": (21, 31), "末": (21, 31),
}  # fmt: skip
_TENTH: Final = r"(?P<tenth>初|上旬|中旬|下旬|底|末)"
_DAY_OF_MONTH: Final = (
    rf"(?P<day>{NUM})[号日]?(?:(?<=[号日])|(?=[到至~—–-]))"
    rf"(?:[到至~—–-](?:(?P<month2>{NUM})月)?(?P<day2>{NUM})[号日])?(?!线|楼|店|门|院|机|位)"
)
_IN_MONTH: Final = rf"(?:份?{_TENTH}|份?{_DAY_OF_MONTH}{_PART}|份)?"
_SUMMER: Final = (7, 8)


def candidates(context: Context) -> Iterator[Candidate]:
    """Yield all that the rules read; they may overlap."""
    return read(_RULES, context)


def _hours(match: re.Match[str]) -> tuple[float, float] | None:
    part = match["part"]
    if not part:
        return None
    if not match["hour"]:
        return _PARTS.get(part, (5, 10))
    hour = float(chinese(match["hour"]))
    hour += 12 if part in _LATE and hour < 12 else 0  # noqa: PLR2004 - the clock's twelve hours
    hour += {"半": 0.5, "一刻": 0.25, "三刻": 0.75}.get(match["half"] or "", 0.0) + int(match["minute"] or 0) / 60
    if hour > 24:  # noqa: PLR2004
        raise ValueError("no such hour")
    return (hour, hour + 1)


def _reference(offset: int) -> Reference:
    return Reference.RELATIVE if offset else Reference.CURRENT


def _tense(match: re.Match[str], context: Context) -> tuple[bool, bool]:
    return chinese_tense(context.around(match, _CLAUSE))


def _day(match: re.Match[str], context: Context) -> Reading:
    offset = _DAYS[match["name"]]
    hours = _hours(match) if match["part"] else _PARTS.get(match["short"] or "")
    return Reading(day(context.today + timedelta(days=offset)), _reference(offset), hours)


def _week(match: re.Match[str], context: Context) -> Reading:
    offset = _PERIODS[match["which"]]
    in_week = context.today + timedelta(weeks=offset)
    name = match["weekday"]
    if not name:
        return Reading(week(in_week), _reference(offset))
    if name == "末":
        return Reading(weekend(in_week), Reference.RELATIVE)
    at = week(in_week).first + timedelta(days=_WEEKDAYS[name])
    return Reading(day(at), Reference.RELATIVE, _hours(match))


def _weekday(match: re.Match[str], context: Context) -> Reading | None:
    """Read a bare weekday only when the verbs around tell whether it is past or to come."""
    past, future = _tense(match, context)
    if not past and not future:
        future = chinese_reminder(context.around(match, _SENTENCE))
    if past == future:
        return None
    ahead = (_WEEKDAYS[match["weekday"]] - context.today.weekday()) % 7
    back = ahead - 7 if ahead else 0
    return Reading(day(context.today + timedelta(days=ahead if future else back)), Reference.RELATIVE, _hours(match))


def _in_month(match: re.Match[str], base: Stretch) -> Stretch:
    """Narrow a month to the part or the day of it that the match names."""
    if match["tenth"]:
        first, last = _TENTHS[match["tenth"]]
        return days(base.first.replace(day=first), base.first.replace(day=min(last, base.last.day)))
    if not match["day"]:
        return base
    first_day = base.first.replace(day=chinese(match["day"]))
    if not match["day2"]:
        return day(first_day)
    last_month = chinese(match["month2"]) if match["month2"] else first_day.month
    last_year = first_day.year + (1 if last_month < first_day.month else 0)
    return days(first_day, date(last_year, last_month, chinese(match["day2"])))


def _month(match: re.Match[str], context: Context) -> Reading:
    offset = _PERIODS[match["which"]]
    stretch = _in_month(match, shifted_month(context.today, offset))
    return Reading(stretch, _reference(offset), _hours(match))


def _this_year(match: re.Match[str], context: Context) -> Reading | None:
    offset = _YEARS[match["name"]]
    at = context.today.year + offset
    reference = _reference(offset)
    if match["month"]:
        stretch = _in_month(match, month(at, chinese(match["month"])))
        return Reading(stretch, reference, _hours(match))
    if match["holiday"]:
        holiday = _holiday_in(match["holiday"], at)
        return Reading(holiday, reference) if holiday else None
    if match["portion"]:
        first, last = {"上半年": (1, 6), "下半年": (7, 12), "年初": (1, 2), "年中": (6, 7), "年底": (11, 12),
                       "年末": (11, 12), "春天": (3, 5), "夏天": (6, 8), "秋天": (9, 11)}[match["portion"]]  # fmt: skip
        return Reading(months(month(at, first), month(at, last)), reference)
    return Reading(year(at), reference)


def _full(match: re.Match[str], _: Context) -> Reading:
    number = match["year"]
    at = int(number) if len(number) == 4 else 2000 + int(number)  # noqa: PLR2004 - digits of a year
    if not match["month"]:
        return Reading(year(at), Reference.ABSOLUTE)
    return Reading(_in_month(match, month(at, chinese(match["month"]))), Reference.ABSOLUTE, _hours(match))


def _month_day(match: re.Match[str], context: Context) -> Reading | None:
    past, future = _tense(match, context)
    number = chinese(match["month"])
    around = [_in_month(match, month(context.today.year + by, number)) for by in (-1, 0, 1)]
    stretch = nearest(around, context.today, past=past, future=future)
    return Reading(stretch, Reference.IMPLIED, _hours(match)) if stretch else None


def _distance(match: re.Match[str], context: Context) -> Reading:
    sign = -1 if match["way"] == "前" else 1
    if match["half"]:
        unit = match["halved"]
        stretch = shifted_month(context.today, 6 * sign) if unit == "年" else week(context.today + timedelta(15 * sign))
        return Reading(stretch, Reference.RELATIVE)
    number = chinese(match["number"]) * sign
    match match["unit"].removeprefix("个"):
        case "天" | "日":
            stretch = day(context.today + timedelta(days=number))
        case "周" | "星期" | "礼拜":
            stretch = week(context.today + timedelta(weeks=number))
        case "月":
            stretch = shifted_month(context.today, number)
        case _:
            stretch = year(context.today.year + number)
    return Reading(stretch, Reference.RELATIVE)


def _holiday_in(name: str, at: int) -> Stretch | None:
    if name == "春节":
        if not _SPRING_FIRST <= at < _SPRING_FIRST + len(_SPRING_FESTIVAL):
            return None
        first = date(at, *_SPRING_FESTIVAL[at - _SPRING_FIRST])
        return days(first, first + timedelta(days=6))
    if name == "暑假":
        return months(month(at, _SUMMER[0]), month(at, _SUMMER[1]))
    month_, day_, length = next(v for key, v in _HOLIDAYS.items() if name.startswith(key))
    first = date(at, month_, day_)
    return day(first) if length == 1 else days(first, first + timedelta(days=length - 1))


def _holiday(match: re.Match[str], context: Context) -> Reading | None:
    past, future = _tense(match, context)
    around = [
        found for by in (-1, 0, 1) if (found := _holiday_in(match["holiday"], context.today.year + by)) is not None
    ]
    stretch = nearest(around, context.today, past=past and not future, future=future and not past)
    return Reading(stretch, Reference.IMPLIED) if stretch else None


_RULES: Final[tuple[Rule, ...]] = (
    (
        re.compile(
            rf"(?<![之以先最\d])(?P<name>大前天|(?<!大)前天|昨[天日儿]|今[天日儿]|明[天日儿]|大后天|(?<!大)后天"
            rf"|[前昨今明](?=[早晚夜晨]))(?![天气性])(?P<short>(?:(?<=[前昨今明])[早晚夜晨](?!上))?){_PART}"
        ),
        _day,
    ),
    (
        re.compile(
            rf"(?P<which>上上|(?<!上)上|这|本|下下|(?<!下)下)(?:一?个)?(?:周(?!年|全|到|围|边|报|刊|转|期)|星期|礼拜)"
            rf"(?:(?P<weekday>[一二三四五六日天末]){_PART})?"
        ),
        _week,
    ),
    (
        re.compile(
            rf"(?<![每上下这本个各隔双一二两三四五六七八九十几\d])周(?P<weekday>[一二三四五六日])(?![次天节到至、\-~]){_PART}"
        ),
        _weekday,
    ),
    (
        re.compile(
            rf"(?<![每上下这本个各隔双一二两三四五六七八九十几\d])(?:星期|礼拜)(?P<weekday>[一二三四五六日天])"
            rf"(?![次到至、\-~]){_PART}"
        ),
        _weekday,
    ),
    (re.compile(rf"(?P<which>上上|(?<!上)上|这|本|当|下下|(?<!下)下)个?月(?!份?的?[亮饼光台])(?:{_IN_MONTH})"), _month),
    (
        re.compile(
            rf"(?<![几十百多两三四五六七八九\d])(?P<name>大前年|(?<!大)前年|去年|今年|本年|明年|后年)的?"
            rf"(?:(?P<month>{NUM})月{_IN_MONTH}|{_HOLIDAY}|(?P<portion>上半年|下半年|年初|年中|年底|年末|春天|夏天"
            rf"|秋天))?"
        ),
        _this_year,
    ),
    (
        re.compile(
            rf"(?<!\d)(?P<year>(?:19|20)\d\d|(?<![\d.])\d\d(?=年\d{{1,2}}月))年(?:的?(?P<month>{NUM})月{_IN_MONTH})?"
        ),
        _full,
    ),
    (
        re.compile(
            rf"(?<![年\d.个每、{'一二两三四五六七八九十几'}])(?P<month>{NUM})月(?![饼光亮天]|{NUM}[次回趟]){_IN_MONTH}"
        ),
        _month_day,
    ),
    (
        re.compile(
            rf"(?<![\d.、多几两一二三四五六七八九十百每])(?:(?P<number>{NUM})(?P<unit>天|日|周|个?星期|个?礼拜|个月|年)"
            rf"|(?P<half>半)个?(?P<halved>年|月))(?:之|以)?(?P<way>前)(?![天年面后夕往台])"
        ),
        _distance,
    ),
    (
        re.compile(
            rf"(?:(?<=[，。！？,.!?；、\s再过])|^)(?:(?P<number>{NUM})(?P<unit>天|周|个?星期|个?礼拜|个月|年)"
            rf"|(?P<half>半)个?(?P<halved>年|月))(?:之|以)?(?P<way>后)(?![天年面来])"
        ),
        _distance,
    ),
    (re.compile(rf"(?<![每去今明前后个]年)(?<![每年]){_HOLIDAY}"), _holiday),
)
