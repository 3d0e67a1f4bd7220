"""A snapshot fits exactly the files and variables it was made from."""

from pathlib import Path

import pytest

from tools.snapshots import fingerprint


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A small Worker."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "entry.py").write_text("X = 1\n")
    (tmp_path / "python_modules").mkdir()
    path = tmp_path / "wrangler.json"
    path.write_text("{}")
    return path


def test_nothing_changed_is_the_same_snapshot(config: Path) -> None:
    assert fingerprint(config, {"A": "1"}) == fingerprint(config, {"A": "1"})


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("src/entry.py", "X = 2\n"),
        ("src/project/manifest.json", "{}"),
        (".dev.vars", "KEY=1"),
        ("python_modules/.stamp", "new"),
        ("wrangler.json", '{"a": 1}'),
    ],
)
def test_any_change_is_another_snapshot(config: Path, file: str, text: str) -> None:
    before = fingerprint(config, {})
    path = config.parent / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert fingerprint(config, {}) != before


def test_other_variables_are_another_snapshot(config: Path) -> None:
    assert fingerprint(config, {"A": "1"}) != fingerprint(config, {"A": "2"})
