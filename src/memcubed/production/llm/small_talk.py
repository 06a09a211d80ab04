"""Turns that hold nothing to remember, so that no model needs to be asked."""

import re
from collections.abc import Iterable

from memcubed.messages.model import Role, Turn
from memcubed.messages.reading import SHOWN_INSTEAD

# Agreement (好的, ok) is not among them: it can answer a question of the assistant.
_CHINESE = """
你好 您好 嗨 哈喽 早 早安 早上好 上午好 中午好 下午好 晚上好 晚安 在吗 在么 谢谢 谢谢你 谢谢您 多谢 非常感谢 感谢
辛苦了 再见 拜拜 回见 哈哈 哈哈哈 嘿嘿 呵呵 嗯嗯
"""
_ENGLISH = """
hi hello hey yo hiya thanks thankyou thx cheers bye goodbye goodnight goodmorning goodafternoon goodevening haha hahaha
lol hithere hellothere heythere thanksalot manythanks thankyousomuch thankyouverymuch seeyou seeyoulater
"""
_PHRASES = frozenset(_CHINESE.split() + _ENGLISH.split())
_WEATHER = re.compile(
    r"(?:今天|今儿|昨天|最近|外面|这)?的?天气(?:[可真好太很挺还是])*(?:不错|好|热|冷|糟|差|棒|舒服)[啊呀呢哦了吧]*"
    r"|(?:whata|such)?(?:nice|lovely|beautiful|great|terrible|awful|bad)(?:weather|day)(?:today|outside|isntit)?"
    r"|(?:the)?weatheris(?:so|really|very)?(?:nice|lovely|beautiful|great|terrible|awful|bad|hot|cold)(?:today|outside)?"
)
_FILES = re.compile("|".join(map(re.escape, SHOWN_INSTEAD.values())))
_SPLIT = re.compile(r"[。！？!?，,.;；~～\n]+")


def is_small_talk(text: str) -> bool:
    """Whether a text is nothing but greetings, thanks, goodbyes and the weather, or has no letter at all.

    What stands for images and files says nothing.
    """
    for part in _SPLIT.split(_FILES.sub("", text)):
        bare = "".join(char for char in part.casefold() if char.isalnum())
        if bare and bare not in _PHRASES and not _WEATHER.fullmatch(bare):
            return False
    return True


def holds_only_files(turns: Iterable[Turn]) -> bool:
    """Whether users sent images and files and say nothing with them."""
    said = [turn.content for turn in turns if turn.role is Role.USER]
    return any(said) and not any(_FILES.sub("", text).strip() for text in said)


def has_something_to_read(turns: Iterable[Turn]) -> bool:
    """Whether any user says more than small talk."""
    return any(turn.role is Role.USER and not is_small_talk(turn.content) for turn in turns)
