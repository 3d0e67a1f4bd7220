"""The SQLite of a Durable Object, where a write becomes durable a little later."""

from bindings.object_storage import DurableObjectStorage


def waits(coroutine):
    """Whether it has to; if so, it is not waited for."""
    try:
        coroutine.send(None)
    except StopIteration:
        return False
    coroutine.close()
    return True


async def test_only_what_was_written_has_to_be_confirmed(ctx):
    storage = DurableObjectStorage(ctx)
    storage.execute("CREATE TABLE numbers (number INTEGER)")
    await storage.confirmed()
    for statement in ("INSERT INTO numbers VALUES (1)", "UPDATE numbers SET number = 2", "DELETE FROM numbers"):
        assert not waits(storage.confirmed()), "nothing is new"
        storage.execute(statement)
        storage.execute("SELECT number FROM numbers")
        assert waits(storage.confirmed()), statement
        assert waits(storage.confirmed()), "another reader waits as well"
        await storage.confirmed()
