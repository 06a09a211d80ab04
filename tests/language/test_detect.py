import pytest

from memcubed.language.detect import Language, detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("今天下班去打羽毛球", Language.ZH),
        ("我用 Kubernetes 部署 PostgreSQL", Language.ZH),
        ("I went climbing", Language.EN),
        ("The word 茶 is written like that", Language.EN),
        ("", Language.EN),
        ("42 :-)", Language.EN),
    ],
)
def test_the_language_is_told_by_the_share_of_han(text: str, language: Language) -> None:
    assert detect(text) is language


def test_a_text_without_letters_takes_the_default() -> None:
    assert detect("42", Language.ZH) is Language.ZH
