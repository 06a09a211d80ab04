import pytest

from memcubed.providers.embeddings.local import LocalEmbedder


@pytest.fixture(scope="session")
async def local() -> LocalEmbedder:
    """The real models, loaded once for all tests."""
    embedder = LocalEmbedder()
    await embedder.load()
    return embedder


@pytest.fixture(scope="session")
async def use_alone(tmp_path_factory: pytest.TempPathFactory) -> LocalEmbedder:
    """As on a CPU without AVX2."""
    cpu_info = tmp_path_factory.mktemp("proc") / "cpuinfo"
    cpu_info.write_text("processor : 0\nflags : fpu sse sse2 avx\n")
    embedder = LocalEmbedder(cpu_info=cpu_info)
    await embedder.load()
    return embedder
