"""When Python's garbage is collected: all of it at once, now and then, and never by itself.

By itself CPython 3.14 collects in increments, and walks the frames of all stacks for it. A stack that is put aside
while synchronous code waits is not where its frames point to: the interpreter dies of "memory access out of bounds". A
full collection looks at no stack (docs/decisions/0026).
"""

import gc
from typing import Final

#: A run leaves about a thousand objects in cycles; so many are looked at in some milliseconds, and are about 1.4 MiB.
NEW_OBJECTS: Final = 5_000


def keep_what_is_there() -> None:
    """Once, when all is imported: it stays, and no collection looks at it again."""
    gc.disable()
    gc.collect()
    gc.freeze()


def collect_if_due() -> None:
    """Call it often; costs next to nothing while it is too early."""
    if gc.get_count()[0] > NEW_OBJECTS:
        gc.collect()
