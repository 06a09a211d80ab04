"""Text that tries to instruct whoever reads it, and what is left of a text without it.

It is pasted into messages from pages, mails and files, to have memories made, changed or deleted that nobody asked for.
Nothing here decides what is safe: memories are held against what their owner said, and this tells what that is.
"""

import re
import unicodedata
from typing import Final

from memcubed.language.sentences import sentences

# Letters of other alphabets that look like Latin ones; NFKC folds full-width and mathematical ones.
_LOOKS_LIKE: Final = str.maketrans(
    "аеорсухіјѕһԁԛԝгкмтвнАЕОРСУХІЈЅКМТВНοαερτικνυχγηΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijshdqwrkmtbhAEOPCYXIJSKMTBHoaeptikvuxynABEZHIKMNOPTYX",
)

_COMMAND: Final = re.compile(
    r"(?:忽略|无视|忘记|忘掉|不要理会|绕过|覆盖).{0,12}(?:规则|指令|指示|提示|以上|之前|上面|前面)|系统提示词?|你现在是"
    r"|(?:输出|生成|添加|存储|写入|保存|新增|加入|插入).{0,8}记忆.{0,12}用户"
    r"|(?:添加|存储|写入|保存|新增|加入|插入|更新|修改|删除|清空|清除|抹掉).{0,8}(?:一条|所有|全部|以下|这条|该用户的?|用户的?)记忆"
    r"|(?:记住|请记|牢记|记录下来?)[：:，, ]{0,2}(?:用户|该用户|此用户)"
    r"|\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:instructions?|prompts?|rules?|above|previous)\b"
    r"|\bsystem prompt\b|\byou are now\b|\bnew (?:instructions?|task)\b"
    r"|\b(?:store|save|add|write|output|create|insert|record|generate)\b.{0,40}\bmemor(?:y|ies)\b.{0,20}\buser\b"
    r"|\b(?:add|store|save|insert|update|delete|erase|wipe)\b.{0,12}\b(?:this|all|the following|user|users|user's)\b"
    r".{0,12}\bmemor(?:y|ies)\b"
    r"|\b(?:remember|memori[sz]e|note)\b[: ,]{1,2}(?:that )?the user\b|\bmemory\s*:\s*the user\b",
    re.IGNORECASE | re.DOTALL,
)
# What stands between the turns of a prompt, and means to end or begin one: all that follows is not its writer's.
_TURN: Final = re.compile(
    r"<\|[\w ]{2,24}\|>|<(?:｜|\|)[^<>\n]{2,24}(?:｜|\|)>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>"
    r"|</?(?:data|system|instructions?|conversation|memories|tool_(?:result|response|call)s?|function_results?)>"
    r"|^>{3,}|^<{3,}|<!--|^\[//\]: #"
    r"|[\"']role[\"']\s*:\s*[\"'](?:system|developer|tool|user|assistant)[\"']|[\"']memories[\"']\s*:"
    r"|^#{1,4}\s*(?:system|instructions?|new task|系统|指令)\b|^(?:system|系统)\s*[:：]",
    re.IGNORECASE | re.MULTILINE,
)
# "I forget the rules of chess" tells of somebody.
_TOLD: Final = re.compile(
    r"\b(?:I|we)(?:['’]\w+)?\s(?:\w+\s)?(?:ignored?|disregard(?:ed)?|forg[eo]t|bypass(?:ed)?|store|save|add|write)\b"
    r"|[我他她](?:们|[又总常老都也经]|已经|总是|经常){0,2}(?:忽略|无视|忘记|忘掉|绕过|覆盖)"
)
_FIRST_PERSON: Final = re.compile(r"我|\b(?:I|my|me|we|our)\b")


def unmasked(text: str) -> str:
    """A text as it reads: without invisible characters, letters that only look like others as those."""
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", text) if unicodedata.category(letter) != "Cf")
    return seen if seen.isascii() else seen.translate(_LOOKS_LIKE)


def split_orders(text: str) -> tuple[str, str]:
    """Part what instructs its reader from the rest, both as they read.

    The sentences after an order that speak of no "I" go with it; after what imitates the turns of a prompt, all do.
    """
    seen = unmasked(text)
    turn = _TURN.search(seen)
    before, after = (seen, "") if turn is None else (seen[: turn.start()], seen[turn.start() :])
    orders: list[str] = []
    rest: list[str] = []
    ordering = False
    for sentence in sentences(before):
        if _is_order(sentence):
            ordering = True
        elif _FIRST_PERSON.search(sentence):
            ordering = False
        (orders if ordering else rest).append(sentence)
    return " ".join([*orders, after] if after else orders), " ".join(rest)


def gives_orders(text: str) -> bool:
    """Whether a text has anything that instructs its reader."""
    seen = unmasked(text)
    return _TURN.search(seen) is not None or any(map(_is_order, sentences(seen)))


def _is_order(sentence: str) -> bool:
    return _COMMAND.search(sentence) is not None and _TOLD.search(sentence) is None
