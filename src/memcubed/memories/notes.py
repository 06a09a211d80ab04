"""What a model is told about the memories it is shown."""

from typing import Final

from memcubed.language.detect import Language

_PREFERENCE_NOTES: Final = {
    Language.ZH: (
        "以上偏好中，explicit_preference 是用户明确说过的，implicit_preference 是根据对话推断的。"
        "请优先满足用户当前的要求；其次是明确的偏好；推断的偏好仅供参考，若与当前要求冲突，以当前要求为准。"
    ),
    Language.EN: (
        "Of these preferences, explicit_preference was stated by the user and implicit_preference was inferred from "
        "the conversation. Follow the user's current request first, stated preferences second; take inferred ones as "
        "hints only, and where they conflict with the current request, follow the request."
    ),
}


def preference_note(language: Language) -> str:
    """How a model should weigh preferences, in its user's language."""
    return _PREFERENCE_NOTES[language]
