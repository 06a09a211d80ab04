from pathlib import Path

from memcubed import embedded
from tests.support.process import environment, run


def test_the_demo_shows_the_main_job_and_leaves_nothing_behind(home: Path) -> None:
    done = run("demo", env=environment(home))
    assert done.returncode == 0, done.stderr
    assert "Extractor: local (rules, no language model" in done.stdout
    assert "POST /add/message: completed" in done.stdout
    assert "七天" in done.stdout.split("POST /search/memory:")[1]
    assert "from 0610," in done.stdout
    assert "Traceback" not in done.stderr
    assert not home.exists() or list(home.iterdir()) == []
    assert embedded.find_running(home) is None
