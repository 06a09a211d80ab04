"""Synthetic memories with the shape of real ones, copied straight into a database for measurements of size.

Vectors have the spectrum that the local model's have on the shared conversations (effective dimension about 75), turns
of a conversation share a topic, and words follow Zipf's law. Memories come ten turns at a time and the owners take
turns, so that a cube lies scattered over its table as it does when many users talk at once.
"""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

import numpy as np
import psycopg
from numpy.typing import NDArray

from memcubed.store.words import to_tsvector

SPACE: Final = "synthetic-896@1"
DIMENSIONS: Final = 896

_BURST: Final = 10
_BURSTS_A_BATCH: Final = 2000
_CONVERSATION: Final = 30
_TOPICS: Final = 5000
_VOCABULARY: Final = 60_000
_WORDS: Final = 14
_PREFERENCE_EVERY: Final = 10
_COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Probe:
    """A query about a memory that the corpus holds."""

    vector: Floats
    terms: list[str]


class Corpus:
    """Makes memories and queries, the same for the same seed."""

    def __init__(self, seed: int = 7) -> None:
        self._random = np.random.default_rng(seed)
        self._spectrum = (np.arange(DIMENSIONS) + 8.0) ** -0.625
        self._spectrum = (self._spectrum / np.linalg.norm(self._spectrum)).astype(np.float32)
        self._topics = self._texts(_TOPICS)
        self._odds = np.cumsum(1 / (np.arange(_VOCABULARY) + 10.0))
        self._odds /= self._odds[-1]
        self._vocabulary = [f"w{number}" for number in range(_VOCABULARY)]
        self._topic_words = self._words((_TOPICS, 40))

    def _texts(self, count: int) -> Floats:
        """Directions of unit length on average."""
        return self._random.standard_normal((count, DIMENSIONS), dtype=np.float32) * self._spectrum

    def _words(self, shape: tuple[int, int]) -> NDArray[np.int64]:
        return np.searchsorted(self._odds, self._random.random(shape))

    def fill(self, connection: psycopg.Connection[Any], project_id: UUID, cubes: Sequence[UUID], each: int) -> None:
        """Copy `each` memories with vectors and sources into each of these cubes; the connection is a superuser's."""
        connection.execute("SET session_replication_role = replica")  # no look-up of foreign keys, row by row
        task_id = uuid4()
        connection.execute(
            "INSERT INTO tasks (id, project_id, options, body_hash) VALUES (%s, %s, '{}', '')", (task_id, project_id)
        )
        bursts = [(cube, number) for number in range(each // _BURST) for cube in cubes]
        for start in range(0, len(bursts), _BURSTS_A_BATCH):
            self._fill(connection, project_id, task_id, bursts[start : start + _BURSTS_A_BATCH])
        connection.execute("SET session_replication_role = DEFAULT")

    def _fill(
        self, connection: psycopg.Connection[Any], project_id: UUID, task_id: UUID, bursts: list[tuple[UUID, int]]
    ) -> None:
        count = len(bursts) * _BURST
        ids = np.frombuffer(self._random.bytes(16 * count), dtype=np.uint8).reshape(count, 16)
        cube_bytes = np.frombuffer(b"".join(cube.bytes for cube, _ in bursts), dtype=np.uint8).reshape(-1, 16)
        topics = np.repeat(self._random.integers(0, _TOPICS, len(bursts)), _BURST)
        vectors = 0.55 * self._topics[topics] + self._texts(count)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        with connection.cursor().copy(
            "COPY memory_vectors (cube_id, memory_id, project_id, space, embedding) FROM STDIN (FORMAT BINARY)"
        ) as copy:
            copy.write(_vector_rows(np.repeat(cube_bytes, _BURST, axis=0), ids, project_id, vectors))
        words = self._words((count, _WORDS))
        topical = self._topic_words[topics[:, None], self._random.integers(0, 40, (count, 5))]
        words[:, :5] = topical
        memories, messages, sources = io.StringIO(), io.StringIO(), io.StringIO()
        before: list[str] = []
        for row in range(count):
            cube, burst = bursts[row // _BURST]
            number = burst * _BURST + row % _BURST
            said = [self._vocabulary[word] for word in words[row]]
            text = " ".join(said)
            id_ = UUID(bytes=ids[row].tobytes())
            kind, layer = (
                ("explicit_preference", "UserMemory") if row % _PREFERENCE_EVERY == 0 else ("fact", "LongTermMemory")
            )
            all_words = said * 2 + before
            conversation, when = f"c{number // _CONVERSATION}", "2025-01-01 00:00+00"
            memories.write(
                f"{cube}\t{id_}\t{project_id}\t{kind}\t{layer}\tactivated\t{text[:40]}\t{text}\t{text}\tuser\t"
                f"{'Ann' if row % 2 else 'Ben'}\t{to_tsvector(all_words)}\t{len(all_words)}\t1\t{conversation}\tbench\t"
                f"{id_.hex}\t{when}\t{when}\t{when}\n"
            )
            messages.write(f"{cube}\t{id_}\t{project_id}\t{task_id}\t{conversation}\tuser\t{text}\t{{}}\t{when}\n")
            sources.write(f"{cube}\t{id_}\t{id_}\t{project_id}\n")
            before = said if (row + 1) % _BURST else []
        _copy(
            connection,
            "memories (cube_id, id, project_id, kind, layer, status, key, value, index_text, source_role, speaker,"
            " words, word_count, confidence, conversation_id, extractor, fingerprint, told_at, created_at, updated_at)",
            memories,
        )
        _copy(
            connection,
            "messages (cube_id, id, project_id, task_id, conversation_id, role, text, payload, chat_time)",
            messages,
        )
        _copy(connection, "memory_sources (cube_id, memory_id, message_id, project_id)", sources)

    def probes(
        self, connection: psycopg.Connection[Any], cubes: Sequence[UUID], count: int
    ) -> list[tuple[UUID, Probe]]:
        """Queries, each about a memory of one of these cubes: near its vector, with three of its words and two more."""
        found = []
        for cube in self._random.choice(np.array(cubes, dtype=object), count):
            row = connection.execute(
                "SELECT v.embedding::text, m.value FROM memories m"
                " JOIN memory_vectors v ON v.cube_id = m.cube_id AND v.memory_id = m.id"
                " WHERE m.cube_id = %(cube)s AND m.id >= %(id)s ORDER BY m.id LIMIT 1",
                {"cube": cube, "id": uuid5(cube, str(self._random.integers(1 << 30)))},
            ).fetchone()
            if row is None:
                continue
            vector = 0.6 * np.array(row[0][1:-1].split(","), dtype=np.float32) + 0.8 * self._texts(1)[0]
            said = self._random.choice(row[1].split(), 3, replace=False).tolist()
            terms = said + [self._vocabulary[word] for word in self._words((1, 2))[0]]
            found.append(
                (cube, Probe((vector / np.linalg.norm(vector)).astype(np.float32), list(dict.fromkeys(terms))))
            )
        return found


def _copy(connection: psycopg.Connection[Any], target: str, rows: io.StringIO) -> None:
    with connection.cursor().copy(f"COPY {target} FROM STDIN") as copy:
        copy.write(rows.getvalue())


def _vector_rows(cubes: NDArray[np.uint8], ids: NDArray[np.uint8], project_id: UUID, vectors: Floats) -> bytes:
    """Rows in the binary format of COPY, which spares the server parsing 896 numbers a row."""
    space = SPACE.encode()
    lengths = {"cube": 16, "id": 16, "project": 16, "space": len(space), "embedding": 4 + 2 * DIMENSIONS}
    fields: list[tuple[str, str] | tuple[str, str, int]] = [("count", ">i2")]
    for name, length in lengths.items():
        fields += [(f"{name}_length", ">i4"), (name, "u1", length)]
    rows = np.zeros(len(ids), dtype=np.dtype(fields))
    rows["count"] = len(lengths)
    for name, length in lengths.items():
        rows[f"{name}_length"] = length
    rows["cube"], rows["id"] = cubes, ids
    rows["project"] = np.frombuffer(project_id.bytes, dtype=np.uint8)
    rows["space"] = np.frombuffer(space, dtype=np.uint8)
    rows["embedding"][:, :4] = np.frombuffer(struct.pack(">HH", DIMENSIONS, 0), dtype=np.uint8)
    rows["embedding"][:, 4:] = vectors.astype(">f2").view(np.uint8).reshape(len(ids), -1)
    return _COPY_HEADER + rows.tobytes() + struct.pack(">h", -1)
