"""What is redacted, and what only looks like it."""

import json

import pytest

from memcubed.language.redaction import redact


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Write to ada.l+x@mail.example.co.uk.", "Write to [EMAIL]."),
        ("邮箱是ada@example.com，谢谢", "邮箱是[EMAIL]，谢谢"),
        ("邮箱ada@example.com谢谢", "邮箱[EMAIL]谢谢"),
        ("邮箱：ａｄａ＠example.com", "邮箱：[EMAIL]"),
        ("müller@exämple.de", "[EMAIL]"),
        ("请写信到张三@例子.中国，谢谢", "请写信到[EMAIL]，谢谢"),
        ("zhang.san@例子.公司", "[EMAIL]"),
        ("<mailto:ada@example.com>", "<mailto:[EMAIL]>"),
        ("ada_lovelace_1815@example.museum/x", "[EMAIL]/x"),
    ],
)
def test_addresses(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("我的手机13812345678", "我的手机[PHONE]"),
        ("手机号是138 1234 5678，微信同号", "手机号是[PHONE]，微信同号"),
        ("138-1234-5678/139-8765-4321", "[PHONE]/[PHONE]"),
        ("１３８１２３４５６７８", "[PHONE]"),
        ("电话：+86 138-1234-5678。", "电话：[PHONE]。"),
        ("+8613812345678", "[PHONE]"),
        ("+86 138 1234 5678 or +44 20 7946 0958", "[PHONE] or [PHONE]"),
        ("008613812345678", "[PHONE]"),
        ("resume_13812345678.pdf", "resume_[PHONE].pdf"),
        ("公司座机010-12345678", "公司座机[PHONE]"),
        ("0755-82345678转3", "[PHONE]转3"),
        ("（021）62345678", "[PHONE]"),
        ("(0571) 8765 4321", "[PHONE]"),
        ("+86-10-62345678", "[PHONE]"),
        ("Call me at (415) 555-2671 tomorrow", "Call me at [PHONE] tomorrow"),
        ("My cell is 415-555-2671.", "My cell is [PHONE]."),
        ("+1 (415) 555-2671", "[PHONE]"),
        ("1-415-555-2671 or 415.555.2671", "[PHONE] or [PHONE]"),
        ("座机 0755 8234 5678", "座机 [PHONE]"),
        ("+1-415-555-2671 until 2026", "[PHONE] until 2026"),
        ("+49 30 901820, +852 2345 6789", "[PHONE], [PHONE]"),
    ],
)
def test_phones(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("身份证号11010519491231002X。", "身份证号[ID]。"),
        ("身份证 110105 19491231 002x", "身份证 [ID]"),
        ("11010519491231002X 13812345678", "[ID] [PHONE]"),
        ("SSN 536-90-4399, born 1980", "SSN [ID], born 1980"),
        ("香港身份证A123456(3)，台湾A123456789", "香港身份证[ID]，台湾[ID]"),
        ("CPF 390.533.447-05; CURP BOXW310820HNERXN09", "CPF [ID]; CURP [ID]"),
        ("RCCMNL83S18D969H, 131052-308T, 971013-9019902", "[ID], [ID], [ID]"),
        ("2 95 10 99 126 111 93 et 2341 2341 2346", "[ID] et [ID]"),
        ("card 4111 1111 1111 1111, please", "card [CARD], please"),
        ("4111 1111 1111 1111 123 is the code", "[CARD] 123 is the code"),
        ("4111-1111-1111-1111 12/27", "[CARD] 12/27"),
        ("Amex 3782 822463 10005", "Amex [CARD]"),
        ("5555555555554444和2223003122003222", "[CARD]和[CARD]"),
        ("工行卡6222 0212 3456 7890 128", "工行卡[CARD]"),
        ("尾号没错：6222021234567890128", "尾号没错：[CARD]"),
        ("IBAN GB82 WEST 1234 5698 7654 32", "IBAN [IBAN]"),
        ("BE68 5390 0754 7034 PAID", "[IBAN] PAID"),
        ("DE89370400440532013000", "[IBAN]"),
    ],
)
def test_numbers_of_persons_and_accounts(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("key sk-abcdefghijklmnop1234", "key [KEY]"),
        ("sk-proj-Ab3_dEfGhIjKlMnOpQrStUv", "[KEY]"),
        ("用的是sk-ant-api03-AbCdEf0123456789-xyz_AA这个", "用的是[KEY]这个"),
        ("ghp_abcdefghijklmnopqrstuvwxyz123456 AKIAIOSFODNN7EXAMPLE", "[KEY] [KEY]"),
        ("glpat-xxxxYYYYzzzz1234abcd", "[KEY]"),
        ("xoxb-123456789012-abcDEF, sk_live_4eC39HqLyjWDarjtT1zdp7dc", "[KEY], [KEY]"),
        ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "[KEY]"),
        ("LTAI5tAbCdEfGhIjKlMnOpQr", "[KEY]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "[KEY]"),
        ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer [KEY]"),
        ('{"Authorization": "Basic YWRhOnNlY3JldDEyMw=="}', '{"Authorization": "Basic [KEY]"}'),
        ("postgresql://ada:s3cret@db.example.com:5432/x", "postgresql://[PASSWORD]@db.example.com:5432/x"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/a8=\nAbC\n-----END RSA PRIVATE KEY-----\nthanks",
            "[KEY]\nthanks",
        ),
        ("a -----BEGIN PRIVATE KEY-----\\nMIIE\\nAbC0\\n-----END PRIVATE KEY-----\\n b", "a [KEY]\\n b"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk", "[KEY]"),
        ("password=Tr0ub4dor&3", "password=[PASSWORD]"),
        ("My password is hunter22!", "My password is [PASSWORD]"),
        ("密码：abc12345，别告诉别人", "密码：[PASSWORD]，别告诉别人"),
        ("门锁的密码是482100。", "门锁的密码是[PASSWORD]。"),
        ('{"password": "hunter22"}', '{"password": "[PASSWORD]"}'),
        ('"{\\"pwd\\": \\"hunter22\\"}"', '"{\\"pwd\\": \\"[PASSWORD]\\"}"'),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key = [KEY]"),
        ('"api_key": "0123456789abcdef0123"', '"api_key": "[KEY]"'),
    ],
)
def test_keys_and_passwords(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "It was 1234567890123 bytes.",
        "110105194912310021",
        "卡号6222020200011111117",
        "On 2025-06-10 at 14:30 for 800.50",
        "2025-06-10T14:30:00.123456+08:00, 20250610143000, 2025/06/10",
        "from 2019-2024, 1998 to 2003; 1765525947718 or 1765525947",
        "version 1.2.3, v10.15.7, 4.19.0-21-amd64, Python 3.12",
        "192.168.100.200, 10.0.0.1:8080, fe80::1ff:fe23:4567:890a",
        "39.9042, 116.4074; +40.7128 -74.0060; 116.40741312345678",
        "订单号202506101430001234，合计12,345,678.90元",
        "order 2025061014300012 costs 13800.00",
        "订单 110105202613310021",
        "sk-8 is a bus, and sk-learn-tutorial-introduction a book",
        "meet @ noon, react@18.2.0, icon@2x.png, git@github.com:a/b",
        "1 + 1 = 2; UTC+8; 3+4",
        "8b5f1b0e-9a39-4d3a-8f57-3f4d6a4c2f10",
        "12345678-1234-1234-1234-123456789012",
        "e3b0c44298fc1c13812345678afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "0.13812345678 and 13812345678.5",
        "密码是什么？密码：未设置。密码是8位数。密码：2025年改的",
        "The password is required and has at least 12 characters.",
        "Each token costs: 40000 tokens; token: unknown",
        "password = secrets.token_urlsafe(24); Basic authentication-flow-2024x",
        "A123456780, A123456(4), 971013-9019903, 234123412347, 1234 5678 9012",
        "glyphicons-halflings-regular.woff2, 4006381333931, https://example.com/feature/5068609911521280",
        "ISBN 978-7-111-54742-6, 0-306-40615-2",
        "010-12-31, 021-2025, 400-820-8820",
        "Tel. extension 8210; room 415-555; 100-20-3000000",
        "https://example.com/a:b@c, http://localhost:8000/x?y=1@2",
        "路径 C:\\users\\u00e9 和 \\u4e2d\\u6587",
        "@张三.李四 你好",
    ],
)
def test_left_alone(text: str) -> None:
    assert redact(text) == text


def test_what_json_escapes_is_read_as_it_is_meant() -> None:
    said = {
        "备注": "手机号13812345678\n身份证号11010519491231002X😀13987654321",
        "to": ["a\nada@example.com", "é13812345678"],
    }
    kept = {"备注": "手机号[PHONE]\n身份证号[ID]😀[PHONE]", "to": ["a\n[EMAIL]", "é[PHONE]"]}
    assert json.loads(redact(json.dumps(said))) == kept
    assert json.loads(redact(json.dumps(said, ensure_ascii=False))) == kept
    assert json.loads(json.loads(redact(json.dumps(json.dumps(said))))) == kept


def test_escapes_that_keep_text_from_being_markup_stay() -> None:
    escaped = r"\u003c13812345678\u003e \u003cada@example.com\u003e"
    assert redact(escaped) == r"\u003c[PHONE]\u003e \u003c[EMAIL]\u003e"


@pytest.mark.parametrize(
    "text", ["ada@example.com 13812345678", "password=Tr0ub4dor&3 sk-abcdefghijklmnop1234", "SSN 536-90-4399"]
)
def test_what_is_redacted_stays_so(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "unit",
    [
        "a@",
        "1 ",
        "+1",
        "12-",
        "a.",
        "密码：",
        "password: ",
        "://a:",
        "eyJaaaaaaaaa.",
        "-----BEGIN PRIVATE KEY-----",
        "+86 1381234",
        "4111 ",
        "sk-a",
        "\\u53f7",
        "token=a",
        "张三@例子.",
        "GB82 ",
        "Bearer a",
        "a_b-",
        "((0",
    ],
)
def test_long_texts_take_no_longer_than_they_must(unit: str) -> None:
    text = unit * (160_000 // len(unit))
    assert len(redact(text)) <= len(text)
