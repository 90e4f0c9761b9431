"""What tests of the plugin have in common."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.support import pytests
from tests.support.pytests import SOURCE, Run


@pytest.fixture
def run_pytest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Write a test file, run pytest on it with warnings as errors, and return its output; it must succeed."""
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    return partial(pytests.run, tmp_path)
