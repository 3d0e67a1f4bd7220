"""docs/differences.md says what the differential test lets pass."""

from tools.differential import declared


def test_the_page_lists_the_declared_differences() -> None:
    text = declared.DOCUMENT.read_text()
    assert text == declared.document(), "run `python -m tools.differential --write`"
