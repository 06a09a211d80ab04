"""What the preference rules of both languages give."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stated:
    """A preference in sentence number `sentence`.

    `part` is what of the sentence is the speaker's own, when the rest is about others. `rewritten` is it in the third
    person, where that is safe; `instruction` when it tells the assistant what to do;
    `needs_context` when a pronoun in it points to the sentence before.
    """

    sentence: int
    rewritten: str | None = None
    instruction: bool = False
    needs_context: bool = False
    part: str | None = None
