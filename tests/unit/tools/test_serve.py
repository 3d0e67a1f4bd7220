"""When a development server that ended is started again."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import serve


def _new(folder: Path) -> None:
    (folder / "package" / "new.py").write_text("")


def _changed(folder: Path) -> None:
    (folder / "package" / "module.py").write_text("changed")


def _gone(folder: Path) -> None:
    (folder / "package" / "module.py").unlink()


@pytest.mark.parametrize("edit", [_new, _changed, _gone])
def test_an_edit_anywhere_below_ends_the_waiting(tmp_path: Path, edit: Callable[[Path], None]) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text("")
    watched = [tmp_path / "absent.txt", tmp_path / "package"]
    waiting = threading.Thread(target=serve.wait_for_change, args=[watched], daemon=True)
    waiting.start()
    waiting.join(2 * serve.POLL_SECONDS)
    assert waiting.is_alive()
    edit(tmp_path)
    waiting.join(20)
    assert not waiting.is_alive()
