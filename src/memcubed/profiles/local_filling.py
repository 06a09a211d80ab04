"""Filling fields by rules: for those that nearly every profile has, from plain statements in the first person."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from memcubed.language.sentences import sentences
from memcubed.messages.model import Turn
from memcubed.profiles.filling import Filling, OpenField

_CONFIDENCE: Final = 0.8
_QUESTION: Final = re.compile(r"[?？]\s*$|[吗呢]\s*[?？。]?\s*$")

_NAME_EN: Final = r"([A-Z][\w'’-]*(?: [A-Z][\w'’-]*){0,2})"
_PLACE_EN: Final = r"([A-Z][\w'’-]*(?:,? [A-Z][\w'’-]*){0,2})"
_AM: Final = r"\bI(?:['’]m| am)"
_JOBS_EN: Final = (
    r"engineer|developer|programmer|teacher|doctor|nurse|lawyer|manager|designer|student|accountant|driver|chef|cook"
    r"|journalist|writer|researcher|scientist|consultant|professor|translator|actor|actress|singer|painter|farmer"
    r"|architect|analyst|pharmacist|dentist|electrician|plumber|carpenter|pilot|photographer|musician|librarian"
    r"|entrepreneur|founder|salesperson|secretary|soldier|mechanic|therapist|veterinarian|economist"
)
_JOBS_ZH: Final = (
    r"工程师|老师|教师|医生|护士|律师|经理|设计师|程序员|大学生|研究生|学生|会计|司机|厨师|记者|作家|研究员|销售|顾问|警察"
    r"|公务员|教授|翻译|演员|歌手|画家|农民|工人|店主|创业者|建筑师|分析师|药剂师|摄影师|飞行员|音乐人|运营|架构师"
)


@dataclass(frozen=True, slots=True)
class _Rule:
    names: re.Pattern[str]
    statements: tuple[re.Pattern[str], ...]


def _rule(names: str, *statements: str) -> _Rule:
    return _Rule(re.compile(f"^(?:{names})$", re.IGNORECASE), tuple(re.compile(statement) for statement in statements))


_RULES: Final = (
    _rule(
        r"(?:full |first |nick|preferred )?name|姓名|名字|称呼|昵称",
        rf"\b[Mm]y name(?: is|['’]s) {_NAME_EN}",
        rf"\b(?:[Pp]lease |[Yy]ou can |[Jj]ust )?[Cc]all me {_NAME_EN}",
        rf"^(?:[Hh]i|[Hh]ello|[Hh]ey)?[,!. ]*I(?:['’]m| am) {_NAME_EN}(?=[,.!]| and\b|$)",
        r"我(?:的名字)?(?:叫做?|名叫)(?:做)?([\u4e00-\u9fff·]{2,8}|[A-Z][\w' -]{0,30}\w)(?=[，。,.！!、\s]|$)",
        r"我的(?:名字|姓名)是([\u4e00-\u9fff·]{2,8}|[A-Z][\w' -]{0,30}\w)(?=[，。,.！!、\s]|$)",
        r"(?:可以|就|请)叫我([\u4e00-\u9fff·]{2,6}|[A-Z]\w+)(?=就|吧|，|。|！|$)",
    ),
    _rule(
        r"age|年龄|岁数",
        rf"{_AM} (?:now )?(\d{{1,3}})(?: years old| years of age|yo\b)",
        r"\bI (?:just )?turned (\d{1,3})\b",
        r"我(?:今年|现在)?(?:已经)?(\d{1,3})岁",
    ),
    _rule(
        r"birthday|birth ?date|date of birth|生日|出生日期",
        r"\b[Mm]y birthday is (?:on )?((?:the )?\w+(?:[ -]\w+){0,3})",
        r"\bI was born on ((?:the )?\w+(?:[ ,-]+\w+){0,3})",
        r"我的?生日(?:是|在)((?:\d{2,4}年|农历|阴历)?[\d一二三四五六七八九十]{1,3}月[\d一二三四五六七八九十]{1,3}[日号])",
        r"我(?:是)?(?:出生于|生于)((?:\d{2,4}年)?(?:\d{1,2}月)?(?:\d{1,2}[日号])?)",
    ),
    _rule(
        r"(?:home |current )?(?:city|location|residence|town|address)|home"
        r"|城市|所在城市|居住城市|居住地|所在地|常住地|住址",
        rf"\bI (?:now |currently |still )?live in {_PLACE_EN}",
        rf"\bI(?:['’]ve| have)? (?:just |recently )?(?:moved|relocated) (?:from [A-Z]\w+ )?to {_PLACE_EN}",
        rf"{_AM} (?:now |currently )?(?:based|living) in {_PLACE_EN}",
        r"我(?:现在|目前|一直)?(?:住在|住|居住在|定居在?|搬到了?|搬来了?)([\u4e00-\u9fff]{2,8}?)(?:了|市区)?(?=[，。,.！!、\s]|$)",
        r"我(?:现在|目前)?在([\u4e00-\u9fff]{2,6}?)(?:工作|生活|居住|上班|上学|读书)",
    ),
    _rule(
        r"occupation|job(?: title)?|profession|title|role|work|职业|工作|岗位|职位|职务",
        rf"{_AM} (?:now )?an? ((?:[\w-]+ ){{0,3}}(?:{_JOBS_EN}))\b",
        r"\bI work as an? ([^.,;!?]{2,40}?)(?= (?:at|for|in)\b|[.,;!?]|$)",
        rf"我(?:现在)?是(?:[\u4e00-\u9fff]{{2,4}}的)?(?:一名|一个|一位|个|名|位)?([\u4e00-\u9fffA-Za-z]{{0,6}}?(?:{_JOBS_ZH}))",
        rf"我(?:的职业是|做|从事)([\u4e00-\u9fff]{{0,6}}?(?:{_JOBS_ZH}))",
    ),
    _rule(
        r"company|employer|organi[sz]ation|公司|单位|雇主|工作单位",
        r"\bI work (?:at|for) ((?:[A-Z][\w&.'’-]*)(?: [A-Z][\w&'’-]*){0,3})",
        r"我在([\u4e00-\u9fffA-Za-z]{2,12}?(?:公司|集团|银行|大学|医院|学校|科技))(?:上班|工作|任职|当|做)",
        r"我在([A-Z][A-Za-z]{1,20})(?:上班|工作|任职)",
    ),
    _rule(
        r"e-?mail(?: address)?|邮箱|电子邮箱|邮件地址",
        r"(?:[Mm]y e-?mail(?: address)? is |我的(?:电子)?邮箱(?:地址)?是)([\w.+-]+@[\w-]+(?:\.[\w-]+)+)",
    ),
    _rule(
        r"phone(?: number)?|mobile|telephone|电话|手机号?|联系电话",
        r"(?:[Mm]y (?:phone|mobile|cell)(?: number)? is |我的(?:手机|电话)号?码?是)(\+?[\d -]{6,20}\d)",
    ),
    _rule(
        r"hobb(?:y|ies)|interests?|爱好|兴趣(?:爱好)?",
        r"\b[Mm]y hobb(?:y is|ies are) ([^.;!?]{2,80})",
        r"我的(?:兴趣)?爱好(?:是|有)([^。；！!，]{1,40})",
    ),
)


class LocalFiller:
    """Implements ProfileFiller without a model; fields that no rule knows stay as they are."""

    name = "local"

    async def fill(self, fields: Sequence[OpenField], turns: Sequence[Turn]) -> list[Filling]:
        """The last thing said about each field."""
        return [filling for field in fields if (filling := _fill(field, turns)) is not None]


def _fill(field: OpenField, turns: Sequence[Turn]) -> Filling | None:
    filling = None
    for rule in _RULES:
        if not rule.names.match(field.path[-1].strip()):
            continue
        for turn in turns:
            for value in _values(rule, turn.content):
                filling = Filling(field.template_id, field.path, value, (turn.message_id,), _CONFIDENCE)
    return None if filling is None or filling.value == field.value else filling


def _values(rule: _Rule, text: str) -> Iterator[str]:
    for sentence in sentences(text):
        if _QUESTION.search(sentence):
            continue
        for statement in rule.statements:
            if found := statement.search(sentence):
                yield found.group(1).strip()
                break
