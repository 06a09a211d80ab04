"""Which turns a memory comes from, whatever the model says."""

from collections.abc import Sequence

from memcubed.messages.model import Role
from memcubed.production.llm.agreement import agrees
from memcubed.production.llm.evidence import Evidence, in_order
from memcubed.production.llm.wording import Wording

_OVERLAP = 0.5


def find_sources(named: Sequence[str], content: Wording, evidence: Evidence) -> tuple[str, ...]:
    """Give the labels of the turns that a memory with this content comes from; none when it comes from nobody's.

    Labels that do not exist are dropped. What only an assistant said counts when the user said it too or agreed to it
    in the next turn, which is then a source as well. Assistant turns that have nothing of the content are left out.
    At least one source is a new turn: the overlap was read before.
    """
    known = [label for label in named if label in evidence.turns]
    if not any(evidence.turns[label].role is Role.USER for label in known):
        known += _said_by_user(content, evidence) or _agreed_to(known, evidence)
        if not any(evidence.turns[label].role is Role.USER for label in known):
            return ()
    kept = [
        label
        for label in known
        if evidence.turns[label].role is Role.USER or content.units & evidence.words[label].units
    ]
    return in_order(kept, evidence) if evidence.new.intersection(kept) else ()


def _said_by_user(content: Wording, evidence: Evidence) -> list[str]:
    shares = {label: content.share_in(evidence.words[label]) for label in evidence.user_labels}
    best = max(shares, key=lambda label: shares[label], default=None)
    return [best] if best is not None and shares[best] >= _OVERLAP else []


def _agreed_to(labels: Sequence[str], evidence: Evidence) -> list[str]:
    order = list(evidence.turns)
    following = [order[order.index(label) + 1] for label in labels if label != order[-1]]
    return [
        label
        for label in following
        if evidence.turns[label].role is Role.USER and agrees(evidence.turns[label].content)
    ]
