"""Text that tries to instruct the extractor: the prompt says not to obey it, and what was obeyed is found by this."""

import re

from memcubed.language.sentences import sentences

_COMMAND = re.compile(
    r"(?:忽略|无视|忘记|忘掉|不要理会|绕过|覆盖).{0,12}(?:规则|指令|指示|提示|以上|之前|上面|前面)|系统提示词?|你现在是"
    r"|(?:输出|生成|添加|存储|写入|保存|新增|加入|插入).{0,8}记忆.{0,12}用户"
    r"|\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:instructions?|prompts?|rules?|above|previous)\b"
    r"|\bsystem prompt\b|\byou are now\b|\bnew instructions?\b"
    r"|\b(?:store|save|add|write|output|create|insert|record|generate)\b.{0,40}\bmemor(?:y|ies)\b.{0,20}\buser\b",
    re.IGNORECASE | re.DOTALL,
)
_FIRST_PERSON = re.compile(r"我|\b(?:I|my|me|we|our)\b")


def split_commands(text: str) -> tuple[str, str]:
    """Part what instructs the extractor from the rest.

    The sentences after a command that speak of no "I" go with it.
    """
    commands: list[str] = []
    rest: list[str] = []
    commanding = False
    for sentence in sentences(text):
        if _COMMAND.search(sentence):
            commanding = True
        elif _FIRST_PERSON.search(sentence):
            commanding = False
        (commands if commanding else rest).append(sentence)
    return " ".join(commands), " ".join(rest)
