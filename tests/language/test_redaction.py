"""What is redacted, and what only looks like it."""

import pytest

from memcubed.language.redaction import redact


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Write to ada.l+x@mail.example.co.uk.", "Write to [EMAIL]."),
        ("邮箱是ada@example.com，谢谢", "邮箱是[EMAIL]，谢谢"),
        ("我的手机13812345678", "我的手机[PHONE]"),
        ("+86 138 1234 5678 or +44 20 7946 0958", "[PHONE] or [PHONE]"),
        ("身份证号11010519491231002X。", "身份证号[ID]。"),
        ("card 4111 1111 1111 1111, please", "card [CARD], please"),
        ("卡号6222020200011111117", "卡号6222020200011111117"),
        ("IBAN GB82 WEST 1234 5698 7654 32", "IBAN [IBAN]"),
        ("key sk-abcdefghijklmnop1234", "key [KEY]"),
        ("ghp_abcdefghijklmnopqrstuvwxyz123456 AKIAIOSFODNN7EXAMPLE", "[KEY] [KEY]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "[KEY]"),
    ],
)
def test_redacted(text: str, redacted: str) -> None:
    assert redact(text) == redacted
    assert redact(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "It was 1234567890123 bytes.",
        "110105194912310021",
        "On 2025-06-10 at 14:30 for 800.50",
        "sk-8 is a bus",
        "meet @ noon",
        "1 + 1 = 2",
        "8b5f1b0e-9a39-4d3a-8f57-3f4d6a4c2f10",
    ],
)
def test_left_alone(text: str) -> None:
    assert redact(text) == text
