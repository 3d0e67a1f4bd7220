"""What every test of this folder needs."""

from collections.abc import Iterator

import pytest

from tests.support import run_driver


@pytest.fixture(autouse=True)
def _burial() -> Iterator[None]:
    """What crashed in a test takes a gigabyte per thousand crashes."""
    yield
    run_driver.bury()
