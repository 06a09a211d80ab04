"""What of a turn is the user's own word: not what was taken back, not a text to be worked on, not a call of a tool."""

import re
from typing import Final

from memcubed.language.sentences import sentences

_LONG: Final = 2_000

_CALL: Final = re.compile(r"^[ \t]*[\w.-]{1,80}\((?:\s*\{.{0,4000}?\}\s*)?\)[ \t]*$", re.MULTILINE | re.DOTALL)

_TAKEN_BACK: Final = re.compile(
    r"\b(?:(?:I(?:['’]m| am|['’]m) )?(?:just|only|totally) (?:kidding|joking)|kidding!"
    r"|I(?:['’]m| am) (?:kidding|joking)"
    r"|j/k\b)"
    r"|(?:我)?(?:就是|只是)?(?:开(?:个|你)?玩笑(?:的|啦|而已|呢)+(?![时人话事])|跟你开玩笑|逗你(?:的|玩)|说着玩(?:的|儿)?|瞎说的)"
    r"|(?:别|不要)当真|当我没说|算我没说",
    re.IGNORECASE,
)
_NOT_TAKEN_BACK: Final = re.compile(
    r"(?:not|wasn['’]t|isn['’]t|aren['’]t|was|were|is|are|he|she|they|you)\s(?:\w+\s)?$|[没不他她]是?(?:在|跟[^，]{1,4})?$",
    re.IGNORECASE,
)
_MARKS: Final = " \t，,。.！!~～…;；:：-—()（）😂🤣😅😆😄😜"

_ZH_WORK: Final = r"(?:翻译|译[成为]|润色|改写|扩写|缩写|续写|仿写|校对|纠错|总结|概括|摘要|转述|复述|朗读)"
_EN_WORK: Final = (
    r"(?:translate|proofread|paraphrase|rephrase|rewrite|reword|summari[sz]e|polish|shorten|transcribe|simplify"
    r"|spell-?check|(?:edit|correct|improve|fix|analy[sz]e|continue)\s(?:the|this|these|my))"
)
_ASKING: Final = (
    r"(?:(?:hi|hey|hello|ok|okay|and|now|also|please|pls|could you|can you|would you|will you|kindly|help me"
    r"|I need you to|I want you to),?\s)*"
)
# "Translate this: …", "润色一下：…": all that follows the mark is the text.
_HANDS_OVER: Final = re.compile(
    rf"^(?:(?:(?:帮|给|替|请你?帮)我|我想?[想要](?:请你|让你|把)|[^。！？!?：:\n我]){{0,16}}{_ZH_WORK}[^。！？!?：:\n]{{0,24}}(?:[：:]|\n|(?=[“\"「『]))"
    rf"|{_ASKING}{_EN_WORK}\b[^.!?:\n]{{0,60}}(?::|\n|(?=[“\"])))",
    re.IGNORECASE,
)
_WORK_ALONE: Final = re.compile(
    rf"^(?:(?:请|麻烦|帮我|给我|替我|你|能不能|可以)*(?:把|将)?[^，。！？!?]{{0,30}}(?:翻译|译)[成为]\w"
    rf"|{_ASKING}(?:translate|proofread|paraphrase|rephrase|rewrite|reword|summari[sz]e)\b)",
    re.IGNORECASE,
)
_INVENTED: Final = re.compile(
    rf"^(?:{_ASKING}(?:write|compose|draft|make up|invent|tell|create|generate)\s(?:me\s|us\s)?"
    r"(?:an?|some|another|the)\s(?:\w+[\s-]){0,3}?"
    r"(?:poem|haiku|limerick|sonnet|story|tale|fable|song|rap|novel|script|play|scene|joke|dialogue|sketch|essay"
    r"|lyrics|character|monologue)\b"
    r"|(?:请|麻烦|帮我|给我|替我|你|再|能不能|可以)*(?:写|编|讲|创作|来|作|生成)(?:一|两|几)?[首篇个段则部]?"
    r"[^，。！？：]{0,30}?(?:诗|故事|小说|歌词|歌|剧本|段子|笑话|童话|作文|散文|对联|对话|寓言|独白))",
    re.IGNORECASE,
)
_STANDING: Final = re.compile(
    r"\b(?:from (?:now|here|today) on|going forward|in (?:the )?future|always|never|every time)\b"
    r"|以后|今后|往后|每次|从现在|从今|一律|永远",
    re.IGNORECASE,
)
_FORWARD: Final = re.compile(r"\b(?:this|these|following|below)\b|以下|下面|下列|这[句段篇些]", re.IGNORECASE)
_QUOTED: Final = re.compile(r"^\s*(?:“[^”]*”|\"[^\"]*\"|「[^」]*」|『[^』]*』|《[^》]*》)")


def without_calls(text: str) -> str:
    """Return an assistant's text without the lines that only call a tool."""
    return _CALL.sub("", text).strip() if "(" in text else text


def without_taken_back(text: str) -> str:
    """Return a text without the sentence that is taken back ("just kidding", 开玩笑的) and without the taking back."""
    if len(text) > _LONG or not _TAKEN_BACK.search(text):
        return text
    kept: list[str] = []
    for sentence in sentences(text):
        match = _TAKEN_BACK.search(sentence)
        if not match or _NOT_TAKEN_BACK.search(sentence[: match.start()]):
            kept.append(sentence)
            continue
        if not sentence[: match.start()].strip(_MARKS) and kept:
            kept.pop()
        rest = _TAKEN_BACK.sub("", sentence[match.end() :]).strip(_MARKS)
        if rest:
            kept.append(rest)
    joined = " ".join(kept)
    return joined if joined.strip(_MARKS) else ""


def hands_over(text: str) -> bool:
    """Whether a turn asks for work on a text, or for an invented one, that is no word about the user."""
    opening = next(iter(sentences(text[:_LONG])), "")
    return own_sentences([opening]) != [opening]


def own_sentences(said: list[str]) -> list[str]:
    """Return the sentences of a turn with "" for each that is a text to work on or asks for an invention."""
    kept: list[str] = []
    inside = False
    for sentence in said:
        if inside:
            kept.append("")
            continue
        match = _handed(sentence)
        if match:
            rest = sentence[match.end() :]
            quoted = _QUOTED.match(rest)
            inside = quoted is None
            kept.append("")
        elif (_WORK_ALONE.match(sentence) or _INVENTED.match(sentence)) and not _STANDING.search(sentence):
            # "Translate the following.", and then the text itself.
            inside = bool(_WORK_ALONE.match(sentence) and _FORWARD.search(sentence))
            kept.append("")
        else:
            kept.append(sentence)
    return kept


def _handed(text: str) -> re.Match[str] | None:
    match = _HANDS_OVER.match(text)
    return match if match and not _STANDING.search(match.group()) else None
