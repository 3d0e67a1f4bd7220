"""What every test of this folder needs."""

from collections.abc import Iterator

import pytest

from tests.support import run_driver


@pytest.fixture(autouse=True)
def _burial(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What crashed in a test takes a gigabyte per thousand crashes."""
    yield
    caplog.get_records("call").clear()  # Their tracebacks hold what crashed.
    run_driver.bury()
