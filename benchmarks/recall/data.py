"""Reads the three kinds of evaluation data from a folder."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.recall.model import Post, Question, Suite

LOCOMO_CATEGORIES: Final = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}
_EVIDENCE: Final = re.compile(r"D\d+:\d+")
_TURN_SECONDS: Final = 20


def read_locomo(folder: Path) -> Suite:
    """LoCoMo: a user a conversation, every turn a message of role user, dated sessions in order."""
    posts: list[Post] = []
    questions: list[Question] = []
    texts: dict[tuple[str, str], str] = {}
    for path in sorted(folder.glob("*.json")):
        sample = json.loads(path.read_text(encoding="utf-8"))
        user = f"locomo-{sample['sample_id']}"
        for number, turns, started in _sessions(sample["conversation"]):
            messages = tuple(
                {
                    "role": "user",
                    "role_name": turn["speaker"],
                    "content": turn["text"],
                    "chat_time": (started + timedelta(seconds=_TURN_SECONDS * index)).isoformat(sep=" "),
                }
                for index, turn in enumerate(turns)
            )
            posts.append(Post(user, f"session-{number}", messages, tuple(turn["dia_id"] for turn in turns)))
            texts.update({(user, turn["dia_id"]): turn["text"] for turn in turns})
        for question in sample["qa"]:
            evidence = frozenset(label for item in question.get("evidence", []) for label in _EVIDENCE.findall(item))
            known = frozenset(label for label in evidence if (user, label) in texts)
            if known and question["category"] in LOCOMO_CATEGORIES:
                category = LOCOMO_CATEGORIES[question["category"]]
                questions.append(Question(user, question["question"], known, category))
    return Suite("LoCoMo", tuple(posts), tuple(questions), texts, include_preference=False)


def _sessions(conversation: dict[str, Any]) -> Iterator[tuple[int, list[dict[str, Any]], datetime]]:
    number = 1
    while f"session_{number}_date_time" in conversation:
        turns = [turn for turn in conversation.get(f"session_{number}", []) if turn["text"].strip()]
        if turns:
            started = datetime.strptime(  # noqa: DTZ007 - the data names no zone
                conversation[f"session_{number}_date_time"], "%I:%M %p on %d %B, %Y"
            )
            yield number, turns, started
        number += 1


def read_dialogues(folder: Path) -> Suite:
    """Dialogues of a user and an assistant; evidence is named by message ids."""
    posts: list[Post] = []
    questions: list[Question] = []
    texts: dict[tuple[str, str], str] = {}
    for path in sorted(folder.glob("*.json")):
        dialogue = json.loads(path.read_text(encoding="utf-8"))
        user = dialogue["user_id"]
        for session in dialogue["sessions"]:
            messages = tuple(
                {key: message[key] for key in ("role", "content", "chat_time")} for message in session["messages"]
            )
            labels = tuple(message["id"] for message in session["messages"])
            posts.append(Post(user, session["conversation_id"], messages, labels))
            texts.update({(user, message["id"]): message["content"] for message in session["messages"]})
        questions += [
            Question(user, question["question"], frozenset(question["evidence"]), question["category"])
            for question in dialogue["questions"]
        ]
    return Suite("dialogues", tuple(posts), tuple(questions), texts)


def read_pairs(path: Path) -> Suite:
    """Queries and the one memory each that answers them, in a Chinese, an English and a mixed pool."""
    data = json.loads(path.read_text(encoding="utf-8"))
    posts: list[Post] = []
    texts: dict[tuple[str, str], str] = {}
    for pool, languages in (("pairs-zh", ["zh"]), ("pairs-en", ["en"]), ("pairs-mixed", ["zh", "en"])):
        for language in languages:
            memories = [(f"{i}-{language}", pair[f"memory_{language}"]) for i, pair in enumerate(data["pairs"])]
            noise = [(f"noise{i}-{language}", text) for i, text in enumerate(data[f"distractors_{language}"])]
            for label, text in memories + noise:
                message = {"role": "user", "content": text, "chat_time": "2025-01-01 12:00:00"}
                posts.append(Post(pool, label, (message,), (label,)))
                texts[pool, label] = text
    questions = [
        Question(pool, pair[f"query_{language}"], frozenset(f"{i}-{other}" for other in others), name)
        for name, language, pool, others in (
            ("zh→zh", "zh", "pairs-zh", ["zh"]),
            ("en→en", "en", "pairs-en", ["en"]),
            ("zh→en", "zh", "pairs-en", ["en"]),
            ("en→zh", "en", "pairs-zh", ["zh"]),
            ("zh→mixed", "zh", "pairs-mixed", ["zh", "en"]),
            ("en→mixed", "en", "pairs-mixed", ["zh", "en"]),
        )
        for i, pair in enumerate(data["pairs"])
    ]
    return Suite("pairs", tuple(posts), tuple(questions), texts)
