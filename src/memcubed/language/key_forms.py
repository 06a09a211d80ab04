"""What opens doors, told by its form: keys and tokens of well-known services, and passwords behind their word."""

import re
from typing import Final

# A token holds a digit somewhere: `sk-learn-tutorial-introduction` is none.
_TOKEN: Final = re.compile(
    r"(?<![A-Za-z0-9])(?<![A-Za-z0-9][-_])(?:"
    r"(?:"
    r"sk-(?=[\w-]{0,200}\d)(?:[A-Za-z0-9]{16,}|[a-z]{2,8}\d{0,2}-[\w-]{16,})"  # OpenAI, Anthropic and their likes
    r"|gh[pousr]_\w{20,}|github_pat_\w{20,}"  # GitHub
    r"|gl(?:pat|dt|rtr?|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[\w-]{20,}(?:\.[\w-]+){0,2}"  # GitLab
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}|LTAI(?=\w{0,30}\d)[A-Za-z0-9]{12,30}|AKID(?=\w{0,40}\d)[A-Za-z0-9]{13,40}"  # clouds
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}"  # Google
    r"|xox[abeprs]-[\w-]{10,}|xapp-[\w-]{10,}"  # Slack
    r"|[spr]k_(?:live|test)_\w{10,}|whsec_[\w+/=]{16,}"  # Stripe
    r"|(?:hf|npm)_(?=\w{0,100}\d)\w{20,}|pypi-[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|dop_v1_\w{20,}"
    r"|\d{8,10}:AA[\w-]{32,35}"  # Telegram
    r"|mc-(?=[\w-]{0,100}\d)[\w-]{20,}"  # this service
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # JSON Web Tokens
    r")(?![\w-]))",
    re.ASCII,
)
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    r"[A-Za-z0-9+/=\s\\:,.()\ufdd0-]*?"
    r"(?:-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----|(?![A-Za-z0-9+/=\s\\:,.()\ufdd0-])|\Z)"
)
_URL_PASSWORD: Final = re.compile(r"(?<=://)[^\s/:@\"'<>]{0,100}:[^\s/@\"'<>]{1,200}@(?=[\w\[])")
_BEARER: Final = re.compile(
    r"(?<![A-Za-z])((?:Bearer|Authorization[\"']?[ \t]{0,3}[:=][ \t]{0,3}[\"']?(?:Basic|Token|ApiKey))[ \t]{1,3})"
    r"(?=[\w.~+/-]{0,500}\d)[\w.~+/-]{16,2000}={0,2}(?![\w-])",
    re.ASCII,
)

# The quotes around it, and JSON's escapes of them, stay: what is redacted may be the arguments of a tool.
_QUOTES: Final = r"(?:\\{0,3}[\"'“‘`「]){0,1}"
_BETWEEN: Final = rf"{_QUOTES}[ \t]{{0,3}}"
_PASSWORD: Final = re.compile(
    r"((?:(?<![A-Za-z])(?:passwords?|passwd|pwd|passcode|passphrase)|密码|口令)"
    rf"{_BETWEEN}(?:[:=：]|=>|是|为|(?<=[ \t])is(?=[ \t]))[ \t]{{0,3}}{_QUOTES})"
    r"(?=[A-Za-z0-9!@#$%^&*_+=~?.-]{0,64}[0-9])(?!\[)"
    r"(?:[0-9]{4,32}(?![\w%/.:-])|(?=[!-~]{0,63}[A-Za-z!@#$%^&*])[A-Za-z0-9!@#$%^&*_+=~?.-]{5,63}[A-Za-z0-9!@#$%^&*_+=~])",
    re.IGNORECASE,
)
_SECRET: Final = re.compile(
    r"((?:(?<![A-Za-z])(?:[A-Za-z]{1,20}[_-]){0,3}(?:secret|api[_-]?key|access[_-]?key|secret[_-]?key|token)|密钥|令牌)"
    rf"{_BETWEEN}[:=：][ \t]{{0,3}}{_QUOTES})"
    r"(?=[A-Za-z0-9_+/=.~-]{0,200}[0-9])(?=[A-Za-z0-9_+/=.~-]{0,200}[A-Za-z])[A-Za-z0-9_+/=.~-]{12,500}(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_SECRET_WORD: Final = re.compile(r"secret|key|token|密钥|令牌", re.IGNORECASE)
_PASSWORD_WORD: Final = re.compile(r"pass|pwd|密码|口令", re.IGNORECASE)


def redact_keys(text: str) -> str:
    """The text with `[KEY]` for keys and tokens, and `[PASSWORD]` for what stands behind the word."""
    if "PRIVATE KEY" in text:
        text = _PRIVATE_KEY.sub("[KEY]", text)
    if "://" in text and "@" in text:
        text = _URL_PASSWORD.sub("[PASSWORD]@", text)
    text = _TOKEN.sub("[KEY]", text)
    text = _BEARER.sub(r"\1[KEY]", text)
    if _PASSWORD_WORD.search(text):
        text = _PASSWORD.sub(r"\1[PASSWORD]", text)
    if _SECRET_WORD.search(text):
        text = _SECRET.sub(r"\1[KEY]", text)
    return text
