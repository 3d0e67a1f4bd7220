"""A short campaign; `make chaos KILLS=200` plays a long one (docs/reliability.md)."""

from tests.chaos.campaign.results import result_of
from tests.chaos.campaign.round import play

SEED = 1
KILLS = 6


async def test_a_short_campaign_keeps_every_promise() -> None:
    result = result_of(await play(SEED, KILLS), seed=SEED, seconds=0)
    assert result.violations == []
    assert sum(result.crashes.values()) == KILLS
    assert result.recoveries, "no run was inside a step when the server died"
