"""An installation from a wheel, far from the repository, has all it needs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.slow  # builds in an environment that pip makes for it
def test_a_wheel_brings_its_migrations(tmp_path: Path, home: Path) -> None:
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
        str(REPOSITORY),
    ]
    subprocess.run(build, check=True)
    installed = tmp_path / "installed"
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(installed)
    environment = {"PATH": os.environ["PATH"], "MEMCUBED_HOME": str(home), "PYTHONPATH": str(installed)}
    script = (
        "import memcubed.cli, sys; print(memcubed.__file__); sys.argv = ['memcubed', 'migrate']; memcubed.cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert str(installed) in done.stdout  # not the repository's
    assert "It was at none." in done.stdout
