"""A short campaign; `make chaos KILLS=200` plays a long one (docs/reliability.md)."""

from tests.chaos.campaign.results import result_of
from tests.chaos.campaign.round import Round, play

SHORT = Round(seed=1, kills=6)


async def test_a_short_campaign_keeps_every_promise() -> None:
    result = result_of(await play(SHORT), seed=SHORT.seed, day="today", seconds=0)
    assert result.violations == []
    assert sum(result.crashes.values()) == SHORT.kills
    assert result.recoveries, "no run was inside a step when the server died"
