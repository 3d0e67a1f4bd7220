"""Runs one slice of a run: from its request to an `Outcome`, with every event on its way to the stream.

A slice begins a run, or goes on where a crash, a drain or a deploy left it (`continuation.py`). Not every end is an
outcome: errors of our own infrastructure that may pass (`SuperstepError.retryable`) are raised, and the next attempt
resumes.
"""

import logging

from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl

from d1_checkpointer import D1Saver
from errors import StaleAttempt, SuperstepError
from langgraph_terms import Graph, Saver
from runs import outcome
from runs.execution import answers, continuation, graph_input, handing_back
from runs.execution.draining import CutOff
from runs.execution.job import Job
from runs.execution.provided import Provided
from runs.execution.slice import Slice
from runs.outcome import Outcome
from streaming.run_stream import RunStream

logger = logging.getLogger(__name__)


async def execute(
    job: Job, graph: Graph, saver: Saver, stream: RunStream, control: RunControl, provided: Provided | None = None
) -> Outcome:
    """Run until the graph ends, stops, fails or drains (`control.request_drain()`), whichever is first.

    Idempotent by what is committed: called again for the same run after a crash (with a higher attempt) or a drain, it
    goes on after the last committed super-step. Emits all events but `error` and never ends the stream: the caller
    stores the outcome first, then calls `stream.finish`. Cancelling it leaves the thread at its last committed
    super-step.
    """
    has_begun = job.attempt > 1 or stream.has_begun
    is_continued = has_begun and await continuation.find(job, saver, stream)
    stream.begin(job.attempt, job.graph_id, is_new=not has_begun)
    stored = None
    if has_begun and not is_continued:
        if job.is_gated and isinstance(saver, D1Saver):
            stored = await continuation.began_with(job, saver)
        given, saver = await answers.ask_again(job, saver, stream)
    else:
        given = None if is_continued else graph_input.first_input(job.kwargs)
    # A run with an input that has stored nothing yet begins anew.
    is_resumed = has_begun and (is_continued or graph_input.goes_on(job.kwargs))
    slice_ = Slice(job, graph, saver, stream, given, provided, is_resumed=is_resumed, is_continued=is_continued)
    with handing_back.starting_over(stored):
        ended = await _outcome(slice_, control, stream)
    if ended.status != "drained":
        stream.before_finish()
    return ended


async def _outcome(slice_: Slice, control: RunControl, stream: RunStream) -> Outcome:
    try:
        await slice_.run(control)
        await slice_.flush()
    except GraphDrained as drained:
        await slice_.flush()
        if not isinstance(drained, CutOff):
            stream.pause()
        return outcome.DRAINED
    except SuperstepError as error:
        if error.retryable or isinstance(error, StaleAttempt):
            raise
        return await slice_.failed_outcome(error)
    except (Exception, SystemExit) as error:
        logger.warning("the graph raised %s", type(error).__name__, exc_info=True, extra={"event": "graph_failed"})
        return await slice_.failed_outcome(error)
    return slice_.finished_outcome() or await slice_.stopped_outcome()
