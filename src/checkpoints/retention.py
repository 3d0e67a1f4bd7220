"""Which checkpoints of a thread may be deleted: pure functions.

The value of a `DeltaChannel` is not stored in the checkpoint. It is rebuilt from the writes of the ancestors, back to
the nearest one that stored a snapshot. So a checkpoint that stays needs those ancestors, whichever run wrote them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

#: (checkpoint_ns, checkpoint_id) within one thread.
CheckpointKey = tuple[str, str]

_ROOT_NS = ""
_NS_TASK_SEPARATOR = ":"


@dataclass(frozen=True, slots=True)
class Outline:
    """The fields of one checkpoint that retention needs."""

    checkpoint_ns: str
    checkpoint_id: str
    parent_checkpoint_id: str | None
    run_id: str | None
    #: The root graph's checkpoint that a subgraph's checkpoint belongs to.
    root_checkpoint_id: str | None
    #: Channels that have a version; None if the row does not say.
    versioned: frozenset[str] | None
    #: Channels whose value is stored with this checkpoint.
    stored: frozenset[str]
    #: Channels with delta counters.
    delta: frozenset[str]

    @property
    def key(self) -> CheckpointKey:
        """Its key within the thread."""
        return (self.checkpoint_ns, self.checkpoint_id)


def beyond_latest(outlines: Sequence[Outline]) -> list[CheckpointKey]:
    """The checkpoints that `keep_latest` deletes, oldest first.

    The latest checkpoint of each namespace stays, with the ancestors from which it is rebuilt. The namespace of a
    finished subgraph call is deleted as a whole, with the root checkpoint that started the call.
    """
    latest: dict[str, Outline] = {}
    for outline in outlines:
        known = latest.get(outline.checkpoint_ns)
        if known is None or outline.checkpoint_id > known.checkpoint_id:
            latest[outline.checkpoint_ns] = outline
    saved = {outline.key for outline in outlines}
    root = latest.get(_ROOT_NS)
    root_kept = {root.key, *rebuilt_from([root], outlines)} if root else set[CheckpointKey]()
    heads = [head for head in latest.values() if not _is_finished_call(head, saved, root_kept)]
    kept = {head.key for head in heads} | rebuilt_from(heads, outlines)
    return _oldest_first(saved - kept)


def of_runs(run_ids: Collection[str], outlines: Sequence[Outline]) -> tuple[list[CheckpointKey], set[CheckpointKey]]:
    """The checkpoints of these runs to delete, oldest first, and the ancestors from which other runs' are rebuilt."""
    others = [outline for outline in outlines if outline.run_id not in run_ids]
    needed = rebuilt_from(others, outlines)
    doomed = {outline.key for outline in outlines if outline.run_id in run_ids} - needed
    return _oldest_first(doomed), needed


def rebuilt_from(heads: Iterable[Outline], outlines: Sequence[Outline]) -> set[CheckpointKey]:
    """The ancestors whose writes or snapshots rebuild the delta channels of `heads`."""
    by_key = {outline.key: outline for outline in outlines}
    delta_channels: dict[str, set[str]] = {}
    for outline in outlines:
        delta_channels.setdefault(outline.checkpoint_ns, set()).update(outline.delta)
    needed: set[CheckpointKey] = set()
    for head in heads:
        missing = delta_channels.get(head.checkpoint_ns, set()) - head.stored
        if head.versioned is not None:
            missing &= head.versioned
        ancestor = _parent(head, by_key)
        while missing and ancestor is not None:
            needed.add(ancestor.key)
            missing -= ancestor.stored
            ancestor = _parent(ancestor, by_key)
    return needed


def _parent(outline: Outline, by_key: dict[CheckpointKey, Outline]) -> Outline | None:
    if outline.parent_checkpoint_id is None:
        return None
    return by_key.get((outline.checkpoint_ns, outline.parent_checkpoint_id))


def _is_finished_call(head: Outline, saved: set[CheckpointKey], root_kept: set[CheckpointKey]) -> bool:
    """Whether a subgraph call's root checkpoint is saved and will be deleted.

    The namespace of a call ends in a colon and its task id; that of a subgraph with a checkpointer of its own does not.
    A call may be saved before its root checkpoint; it is not finished then.
    """
    if _NS_TASK_SEPARATOR not in head.checkpoint_ns or head.root_checkpoint_id is None:
        return False
    root = (_ROOT_NS, head.root_checkpoint_id)
    return root in saved and root not in root_kept


def _oldest_first(keys: Iterable[CheckpointKey]) -> list[CheckpointKey]:
    return sorted(keys, key=lambda key: (key[1], key[0]))
