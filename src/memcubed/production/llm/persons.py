"""Whose matter it is: what is said of others is not said of the user."""

import re

from memcubed.language.sentences import clauses, sentences
from memcubed.production.llm.evidence import Candidate, Evidence
from memcubed.production.llm.wording import wording

_KIN_ZH = (
    "妈妈|爸爸|母亲|父亲|老妈|老爸|爸妈|父母|妈|爸|姐姐|妹妹|哥哥|弟弟|姐|妹|哥|弟|奶奶|爷爷|外婆|外公|姥姥|姥爷|婆婆|公公|岳父|岳母|丈母娘"
    "|老公|老婆|丈夫|妻子|太太|先生|爱人|对象|男友|女友|男朋友|女朋友|儿子|女儿|孩子|宝宝|侄子|侄女|外甥|叔叔|阿姨|舅舅|姑姑"
    "|朋友|闺蜜|同事|同学|室友|邻居|老板|领导|上司|老师|客户|经理"
)
_KIN_EN = (
    "mother|mom|mum|father|dad|parents?|sister|brother|grandmother|grandma|grandfather|grandpa|husband|wife|spouse|partner"
    "|boyfriend|girlfriend|son|daughter|kids?|child|children|baby|niece|nephew|uncle|aunt|cousin|friends?|colleagues?|coworkers?"
    "|classmates?|roommates?|flatmates?|neighbou?rs?|boss|manager|teacher|client"
)
_PERSON = re.compile(rf"{_KIN_ZH}|他|她|\b(?:{_KIN_EN}|he|she|they|his|her|their)\b", re.IGNORECASE)
# 我妈妈对…: the relative is who it is about. 我带妈妈…, 我和妈妈…: it is about the user as well.
_OTHER_SUBJECT = re.compile(
    rf"^(?:(?:我|俺|咱)们?家?的?|其实|不过|但是?|因为|听说|而且|对了)*(?:{_KIN_ZH}|他们?|她们?)(?![和跟与]我)"
    r"|^(?:(?:and|but|because|well|also|so|actually)\s+)*"
    rf"(?:(?:my|our)\s+(?:\w+\s+)?(?:{_KIN_EN})|he|she|they)\b(?! and I\b)",
    re.IGNORECASE,
)
_SAME_MATTER = 0.5


def names_other_person(text: str) -> bool:
    """Whether a text mentions a relative, a friend or some "she"."""
    return _PERSON.search(text) is not None


def is_said_of_another(candidate: Candidate, evidence: Evidence) -> bool:
    """Whether a clause about the user repeats what a source says of somebody else.

    "My mother is allergic to peanuts" does not make "The user is allergic to peanuts", not in the reasoning either.
    Only clauses that name no other person are looked at.
    """
    said = [clause for label in candidate.sources for clause in _clauses(evidence.turns[label].content)]
    for clause in (*_clauses(candidate.value), *_clauses(candidate.reasoning)):
        content = wording(clause, framed=True)
        if not content.units or names_other_person(clause):
            continue
        shares = [(content.share_in(wording(source)), source) for source in said]
        best, source = max(shares, default=(0.0, ""))
        if best >= _SAME_MATTER and _OTHER_SUBJECT.search(source):
            return True
    return False


def _clauses(text: str) -> list[str]:
    return [clause for sentence in sentences(text) for clause in clauses(sentence)]
