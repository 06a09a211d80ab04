"""Preferences stated in English: I like…, I never…, please don't…, from now on…."""

import re
from collections.abc import Iterator
from typing import Final

from memcubed.production.local.preference_model import Stated

_ADVERBS: Final = (
    r"(?:(?:really|absolutely|also|still|just|generally|usually|mostly|much|honestly|personally|always|truly|do"
    r"|definitely|so|particularly"
    r"|simply|actually|especially|secretly|quite|rather|totally|kinda|sort of|'ve always|have always|normally"
    r"|typically|often)\s)*"
)
_PAST_BASES: Final = (
    r"(?:knew|thought|had|got|heard|saw|went|did|said|told|made|found|felt|was|were|been|would|could|should|might"
    r"|came|took|met|wanted|want to know"
    r"|[a-z]+ed)\b"
)
_OBJECTLESS: Final = (
    r"(?!\s+(?:it|that|this|them|these|those|you|your|how|the way you|to(?=[.!,])"
    r"|to (?:say|admit|think|brag|complain|ask|know|hear|see))\b(?!\s+when))"
)
_LIKING: Final = re.compile(
    rf"\bI(?:\s|['’]ve\s|\shave\s){_ADVERBS}(?:"
    rf"(?:like|love|adore|enjoy|hate|dislike|detest|loathe|despise|favou?r){_OBJECTLESS}\b(?!\s+to\s+be\s+clear)"
    rf"|prefer\b|can(?:['’]t|not) (?:stand|bear|eat|have|drink|tolerate|touch|do|abide)\b(?!\s+(?:it|that|this)\b)"
    rf"|(?:don['’]t|do not) (?:really |much )?(?:like|enjoy|eat|drink|wear|smoke|fancy){_OBJECTLESS}\b"
    rf"|(?:avoid|steer clear of|tend to|opt for|lean towards?|'d rather|would rather)\b"
    rf"|(?:no longer|stopped|quit|given up|gone off)\s(?:eat|drink|tak|us|wear|buy|watch|read|order)(?:e|ing)?\b"
    rf"|only (?:eat|drink|wear|use"
    rf"|buy|read|watch|fly|stay)\b"
    rf"|(?:never|always|usually)\s(?!{_PAST_BASES})(?!to\b|forget|mind\b|know\b|think\b|feel\b|wonder\b|will\b"
    rf"|'ll\b)[a-z]+\b"
    r"|come out in (?:hives|a rash|spots)|get (?:hives|a rash|migraines) from)"
    r"|\bI['’]d (?:rather|sooner)\b|\bI(?:['’]m| am)\s(?:really |so |also |quite |still |very |a bit "
    r"|not )*(?:(?:a |an )?(?:big |huge |massive |strict )?(?:fan of|vegan|vegetarian|pescatarian|coeliac|celiac"
    r"|teetotal|lactose[- ]intolerant|gluten[- ]free)|allergic|into (?!the |my |a |an )|keen on|fond of"
    r"|passionate about|obsessed with|partial to|picky|fussy|intolerant|mad about|crazy about)\b"
    r"|\b[Mm]y (?:all-time |absolute )?(?:fav(?:ou?rite)?|fave|go-to|preferred)(?: \w+){0,5} (?:is|are"
    r"|has always been|would be)\b|\b(?:is|are) (?:my|one of my) (?:all-time )?(?:fav(?:ou?rite)?s?|fave|go-to"
    r"|top pick|thing)\b"
    r"|\bI(?:['’]ve| have) been (?:a )?(?:vegan|vegetarian|pescatarian|teetotal)\b|\b(?:gives?"
    r"|brings?) me (?:out in )?(?:hives|a rash|migraines|a headache)\b"
    r"|\b[Ww]e (?:always|never|don['’]t (?=eat|drink|watch|allow|own|use|fly|drive|celebrate)) ?(?!know|think|mind"
    r"|have|had|got|want|need|thought|knew|did|get\b)[a-z]+\b|\bwe(?:['’]re| are) an? [\w-]+ (?:house|home"
    r"|household|family)\b"
)
_VERB: Final = (
    r"(?:use|write|keep|send|reply|answer|give|tell|call|suggest|recommend|include|mention|add|put|show|make|start"
    r"|end|sign|explain|ask|avoid|stick|remind|format|speak|talk"
    r"|address|respond|book|order|choose|pick|offer|propose|say|skip|leave|stop|quote|list|summari[sz]e|translate"
    r"|round|spell)"
)
_INSTRUCTION: Final = re.compile(
    r"\b(?:from (?:now|here|today) on(?:wards?)?|going forward|in (?:the )?future|henceforth"
    r"|from this point)\b(?!.{0,12}\bI(?:['’]ll| will|['’]m)\b)"
    rf"|\b(?:whenever|every time|each time|next time|when|if) you (?:\w+\s){{1,9}}?.{{0,60}}(?:,\s*|\b(?:please"
    rf"|don['’]t|do not|always|never|only|nothing|no)\b|\bdo it\b)"
    rf"|\bplease (?:don['’]t|do not|never|always|avoid|stop|only|keep|use|stick to)\b.{{2,}}"
    rf"|(?:^|[,;]\s|\band |\bso |\bthen )(?:please )?(?:always|never|don['’]t ever|do not ever) {_VERB}\b"
    rf"|(?:^|[,;]\s)(?:please )?(?:stop (?:giving|using|suggesting|sending|calling|recommending|saying)\w*)\b"
    r"|(?:^|[,;]\s|\band )(?:please |just )?call me (?!back|later|when|tomorrow|if|a\b|crazy|on)\w+"
    r"|\b(?:no|nothing)\b[^.!?]{2,60}\bplease\b[^.!?]{0,8}\bever\b|\bdon['’]t [a-z]+ [^.!?]{0,60}\b(?:again|ever"
    r"|any ?more)\b"
)
# Short wishes without a subject: "no carpets please", "not Alfama, too touristy".
_WISH: Final = re.compile(
    r"^(?:[Aa]nd |[Bb]ut |[Oo]h,? )?(?:[Nn]o "
    r"(?!thanks?\b|thank\b|problem|worr|need|idea|more\b|rush|hurry|one\b|way\b|doubt)"
    r"(?:[\w-]+\s?){1,4},? please\b"
    r"|[Nn]ot (?:the |in |on |at )?(?!(?:yet|now|that|this|it|really|sure|bad|to\w+|\w+day)\b)"
    r"[\w'’ -]{2,40}, (?:it['’]s |that['’]s |they['’]re |it is )?(?:far |way |just |a bit )?"
    r"too (?!busy|late|early|tired|soon)\w+)"
)
_OTHERS: Final = (
    r"(?:[Mm]y|[Oo]ur|[Hh]is|[Hh]er|[Tt]heir) (?!fav|go-to|all-time|preferred|absolute)\w+(?: [A-Z]\w+)?|[Hh]e|[Ss]he"
    r"|[Tt]hey|(?!I\b|We\b)[A-Z][a-z]+"
)
_OTHERS_FIRST: Final = re.compile(
    rf"^(?:{_OTHERS}) (?:\w+ )?(?!my\b)[a-z]+(?:s|ed|['’]t|ve|te|fer|ke)\b(?!.*\b(?:I|me|my|we|us|our)\b)[^;]*"
    r"(?:[,;]|\b(?:but|and|while|whereas|though))\s(?:but |and |while |whereas |though )?$"
)
_OTHERS_AFTER: Final = re.compile(
    rf"(?:[,;]|\s[-–—])\s(?:but |and |while |whereas |though )?(?:{_OTHERS}) (?:\w+ )?"
    r"(?:likes|loves|hates|prefers|enjoys|can['’]t|doesn['’]t|never|always|is|has)\b[^;]*$"
)
_QUESTION: Final = re.compile(r"[?？]\s*[”\"’']?$")
_HYPOTHESIS: Final = re.compile(r"\b(?:if|unless|(?<!I )suppose|imagine|what if|would|wish|pretend)\b", re.IGNORECASE)
_REPORTED: Final = re.compile(
    r"\b(?:said|says|saying|told|tells|thinks?|thought|asked|asks|reckons?|claims?|knows|assumes?|insists?|jokes?"
    r"|heard|wonder)\b[^.;,]{0,20}$",
    re.IGNORECASE,
)
# "The ones I love" and "why I love it" state nothing: the subject has to open its clause.
_OPENS: Final = re.compile(
    r"(?:^|[,.;:!?…—–\-(\"“]\s*|\b(?:and|but|so|because|['’]?cause|cuz|since|though|although|well|plus|also"
    r"|honestly|actually|as|or|yeah|yes|then"
    r"|suppose|guess|think|now|sometimes|nowadays|told \w+)\s+)$",
    re.IGNORECASE,
)
_PRAISE: Final = re.compile(r"I (?:\w+ )?(?:love|like|adore) (?:all )?(?:the|your|those|that)\b", re.IGNORECASE)
_POINTING: Final = re.compile(
    r"\b(?:him|her|them|it|those|these|this|that)\b(?! (?:one|way|time|house|week|is)\b)", re.IGNORECASE
)

_SIMPLE: Final = re.compile(
    r"^(?:(?:actually|honestly|also|and|but|well|so|oh|by the way|to be honest|personally),?\s+)?I\s+"
    r"(?P<adverbs>(?:(?:really|absolutely|also|still|just|generally|usually|always|truly|definitely|particularly"
    r"|much|personally|normally)\s+)*)"
    r"(?P<verb>like|love|adore|enjoy|prefer|hate|dislike|detest|loathe|avoid|don['’]t (?:really )?(?:like|eat"
    r"|drink|enjoy|wear)|can['’]t (?:stand|bear|eat|drink|tolerate)|never \w+|always \w+|only \w+)"
    r"\s+(?P<rest>[^;:,()]+)$",
    re.IGNORECASE,
)
_UNSAFE_REST: Final = re.compile(
    r"\b(?:I|I'm|I've|I'd|I'll|we|us|our|you|your|he|she|his|but|so|because|since|though|never|always|don't"
    r"|can't)\b|\band (?:hate|love|like|never|always|prefer|avoid)\b",
    re.IGNORECASE,
)
_MINE: Final = {"my": "their", "me": "them", "myself": "themselves", "mine": "theirs", "am": "are"}
_IRREGULAR: Final = {"have": "has", "do": "does", "go": "goes", "be": "is"}


def stated(said: list[str], who: str, *, instructions: bool) -> Iterator[Stated]:
    """Yield the preferences that the speaker states of themselves in the sentences of a turn."""
    for number, sentence in enumerate(said):
        if not sentence or _QUESTION.search(sentence):
            continue
        order = _INSTRUCTION.search(sentence[0].lower() + sentence[1:]) if instructions else None
        if order:
            yield Stated(number, instruction=True, needs_context=_points(sentence))
            continue
        if instructions and _WISH.search(sentence):
            yield Stated(number, needs_context=_points(sentence))
            continue
        for match in _LIKING.finditer(sentence):
            head = sentence[: match.start()]
            if (
                (match.group()[:2] in {"I ", "I'", "I’"} and not _OPENS.search(head))
                or _reported(head)
                or _HYPOTHESIS.search(head)
            ):
                continue
            part = _own_part(sentence, match)
            yield Stated(number, _rewritten(part or sentence, who), needs_context=_points(part or sentence), part=part)
            break


def _own_part(sentence: str, match: re.Match[str]) -> str | None:
    """Return the part about the speaker when other parts of the sentence are about somebody else."""
    begin = match.start() if _OTHERS_FIRST.search(sentence[: match.start()]) else 0
    after = _OTHERS_AFTER.search(sentence, match.end())
    if not begin and not after:
        return None
    return sentence[begin : after.start()] + "." if after else sentence[begin:]


def _reported(head: str) -> bool:
    """Whether somebody else is reported to say what follows."""
    match = _REPORTED.search(head)
    return match is not None and not re.search(r"\bI(?:['’]ve)?\s(?:\w+\s)?$", head[: match.start()])


def _points(sentence: str) -> bool:
    return bool(_POINTING.search(" ".join(sentence.split()[:14])))


def _rewritten(sentence: str, who: str) -> str | None:
    """Return 'The user prefers …' for a plain sentence about oneself; None where rewriting could change its sense."""
    body = sentence.strip()
    ending = body[-1] if body and body[-1] in ".!" else "."
    match = _SIMPLE.match(body.rstrip(".! "))
    if not match or _UNSAFE_REST.search(match["rest"].replace("’", "'")):
        return None
    rest = re.sub(r"\b(my|me|myself|mine)\b", lambda m: _MINE[m.group().lower()], match["rest"], flags=re.IGNORECASE)
    adverbs = match["adverbs"]
    return f"{who[0].upper()}{who[1:]} {adverbs}{_third(match['verb'].replace('’', chr(39)))} {rest}{ending}"


def _third(verb: str) -> str:
    words = verb.split()
    if words[0].lower().startswith("don't"):
        return " ".join(["doesn't", *words[1:]])
    if words[0].lower().startswith("can't"):
        return verb
    words[-1] = _with_s(words[-1])
    return " ".join(words)


def _with_s(verb: str) -> str:
    if verb.lower() in _IRREGULAR:
        return _IRREGULAR[verb.lower()]
    if re.search(r"(?:s|x|z|ch|sh|o)$", verb):
        return verb + "es"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ies"
    return verb + "s"
