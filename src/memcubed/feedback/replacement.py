"""Keyword replacement: a user asks that one word stand for another wherever it is remembered."""

import re
from dataclasses import dataclass
from typing import Final

from memcubed.language.cleaning import printable
from memcubed.language.detect import has_han

_MOST_CHARACTERS: Final = 60
_SHORT_LATIN: Final = 2
_LONGEST_REQUEST: Final = 400

_SAID: Final = rf"[^，。！？；,!?;\n]{{1,{_MOST_CHARACTERS + 20}}}?"
_ALL_ZH: Final = r"统一|全部|全都|一律|通通|统统|一概|都|全"
_INTO_ZH: Final = r"(?:成|为|作|做|叫|到)了?"
_VERB_ZH: Final = r"替换掉?|更换|换|改名|更名|重命名|改写|修改|更改|改"
_END_ZH: Final = r"\s*(?P<rest>(?:吧|[。！!；;，,]).*)?$"
_CHINESE: Final = (
    # 把用户1号统一替换为用户2号
    re.compile(
        rf"(?P<before>(?:{_ALL_ZH})?)\s*(?:把|将)\s*(?P<old>{_SAID})\s*(?P<all>{_ALL_ZH})?\s*"
        rf"(?P<verb>{_VERB_ZH}){_INTO_ZH}\s*(?P<new>{_SAID}){_END_ZH}"
    ),
    # 用户1号全部改成用户2号, 用户1号以后统一叫用户2号
    re.compile(
        rf"^(?:请|麻烦|帮我|以后)*\s*(?P<old>{_SAID})\s*(?:以后|今后|从现在起)?(?P<all>统一|全部|全都|一律|通通|统统|都要?)\s*"
        rf"(?P<verb>(?:{_VERB_ZH}){_INTO_ZH}|叫做?|称为?|称作|写作|写成)\s*(?P<new>{_SAID}){_END_ZH}"
    ),
    # 用户1号替换为用户2号
    re.compile(rf"^(?:请|麻烦|帮我)*\s*(?P<old>{_SAID})\s*(?P<verb>替换){_INTO_ZH}\s*(?P<new>{_SAID}){_END_ZH}"),
    # 用用户2号替换所有用户1号
    re.compile(
        rf"用\s*(?P<new>{_SAID})\s*(?:来|去)?\s*(?P<before>(?:{_ALL_ZH})?)(?P<verb>替换掉?|代替|取代|替代)"
        rf"(?![成为作])(?P<old>{_SAID}){_END_ZH}"
    ),
)
_EVERY_ZH: Final = re.compile(
    r"^(?:所有|全部|一切)(?:的|地方的?)?|^(?:我的?)?(?:记忆|记录|知识库|文档)(?:库)?[里中](?:面)?的?|^(?:提到|出现)的"
)
_ASIDE_ZH: Final = re.compile(r"(?:这个|这一)?(?:词|名字|称呼|字样|叫法|说法)$")
_EVERYWHERE_ZH: Final = re.compile(r"所有|全部|到处|处处|统一|每一?[处个]|都")

_POLITE_EN: Final = (
    r"^(?:please\s+|(?:can|could|would|will)\s+you\s+(?:please\s+)?|from now on,?\s+|i want you to\s+|just\s+)*"
)
_ANY_EN: Final = (
    r"(?:all|every|each|any)\s+(?:(?:occurrences?|mentions?|instances?|uses?)\s+of\s+)?(?:the\s+(?:word|name)\s+)?"
)
_EVERYWHERE_EN: Final = (
    r"(?:everywhere|throughout|globally|across the board|wherever (?:it|that) (?:occurs|appears)"
    r"|(?:in|across) (?:all|every|each)(?: of)?(?: (?:my|the|your))? \w+|in (?:my|the|your) (?:memory|memories|notes))"
)
_TEXT_EN: Final = rf"[^\n;!?]{{1,{_MOST_CHARACTERS}}}?"
_TAIL_EN: Final = rf"(?:[\s,]+(?P<all>{_EVERYWHERE_EN}))?(?:[\s,]+please)?\s*[.!]*\s*$"
_OLD_EN: Final = rf"(?P<old>{_TEXT_EN})"
_SURE_EN: Final = tuple(
    re.compile(pattern + _TAIL_EN, re.IGNORECASE)
    for pattern in (
        rf"{_POLITE_EN}replace\s+(?:{_ANY_EN})?(?P<old>{_TEXT_EN})\s+(?:with|by)\s+(?P<new>{_TEXT_EN})",
        rf"{_POLITE_EN}rename\s+(?:{_ANY_EN})?(?P<old>{_TEXT_EN})\s+(?:to|as|into)\s+(?P<new>{_TEXT_EN})",
        rf"^(?P<old>{_TEXT_EN})\s+(?:should|must|has to|is to)\s+be\s+replaced\s+(?:with|by)\s+(?P<new>{_TEXT_EN})",
        rf"{_POLITE_EN}(?:change|turn|switch)\s+{_ANY_EN}(?P<old>{_TEXT_EN})\s+(?:to|into)\s+(?P<new>{_TEXT_EN})",
    )
)
_EVERY_EN: Final = tuple(
    re.compile(pattern + _TAIL_EN, re.IGNORECASE)
    for pattern in (
        rf"{_POLITE_EN}(?:change|turn|switch)\s+(?P<old>{_TEXT_EN})\s+(?:to|into)\s+(?P<new>{_TEXT_EN})",
        rf"{_POLITE_EN}substitute\s+(?P<new>{_TEXT_EN})\s+for\s+(?P<old>{_TEXT_EN})",
        rf"{_POLITE_EN}(?:use|write|say|put)\s+(?P<new>{_TEXT_EN})\s+(?:instead of|in place of|for)\s+{_OLD_EN}",
        rf"^(?P<old>{_TEXT_EN})\s+(?:should|must)\s+be\s+(?:called|named|written as|changed to)\s+(?P<new>{_TEXT_EN})",
    )
)

_QUOTES: Final = "\"'“”‘’「」『』《》`"
_WORD: Final = r"[0-9A-Za-z_\u00c0-\u024f]"
_IS_WORD: Final = re.compile(_WORD)


@dataclass(frozen=True, slots=True)
class Replacement:
    """`new` is to stand wherever `old` stands."""

    old: str
    new: str

    def apply(self, text: str) -> str:
        """The text with every `old` replaced; occurrences that are part of a `new` already stay."""
        return self._pattern().sub(lambda match: match.group() if match["kept"] else self.new, text)

    def _pattern(self) -> re.Pattern[str]:
        return re.compile(f"(?P<kept>{phrase_pattern(self.new)})|{phrase_pattern(self.old)}", _flags(self.old))


def phrase_pattern(phrase: str) -> str:
    """A pattern for a phrase: whole words where it begins or ends in Latin letters or digits, exact in Chinese."""
    body = r"\s+".join(re.escape(part) for part in phrase.split())
    head = rf"(?<!{_WORD})" if _IS_WORD.match(phrase[0]) else ""
    tail = rf"(?!{_WORD})" if _IS_WORD.match(phrase[-1]) else ""
    if phrase[0].isdigit():
        head += r"(?<!\d[.,])"
    if phrase[-1].isdigit():
        tail += r"(?![.,]\d)"
    return f"{head}{body}{tail}"


def find_replacement(text: str) -> Replacement | None:
    """What a text asks to be replaced everywhere, or None; a change of one matter is a correction instead."""
    said = " ".join(printable(text).split())
    if len(said) > _LONGEST_REQUEST:
        return None
    for pattern in _CHINESE if has_han(said) else ():
        match = pattern.search(said)
        if match is not None and _is_for_all(match):
            return _checked(_ASIDE_ZH.sub("", _bare(_every_stripped(match["old"]))), _bare(match["new"]))
    for pattern in (*_SURE_EN, *_EVERY_EN):
        match = pattern.search(said)
        if match is not None and (pattern in _SURE_EN or match["all"] is not None):
            return _checked(_bare(match["old"]), _bare(match["new"]))
    return None


def _is_for_all(match: re.Match[str]) -> bool:
    """Whether the Chinese words say that every place is meant; 替换 says so by itself."""
    parts = match.groupdict()
    if parts["verb"].startswith("替换") or parts.get("all") or parts.get("before"):
        return True
    return bool(_EVERY_ZH.match(parts["old"]) or _EVERYWHERE_ZH.search(parts["rest"] or ""))


def _every_stripped(old: str) -> str:
    stripped = _EVERY_ZH.sub("", old.strip())
    return stripped if stripped == old else _every_stripped(stripped)


def _bare(text: str) -> str:
    return text.strip().strip(_QUOTES).strip()


def _checked(old: str, new: str) -> Replacement | None:
    if not old or not new or old == new or max(len(old), len(new)) > _MOST_CHARACTERS:
        return None
    if len(old) == 1 and has_han(old):  # 王 stands in 王府井 and 国王 as well
        return None
    return Replacement(old, new)


def _flags(old: str) -> re.RegexFlag:
    # "us" is not "US"; longer words are the same word however they begin a sentence
    return re.IGNORECASE if len(old) > _SHORT_LATIN else re.RegexFlag(0)
