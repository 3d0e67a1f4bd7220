"""When Python's garbage is collected: completely, now and then, and never automatically.

Automatic collection in CPython 3.14 is incremental and walks the frames of all stacks. The frames of a stack that is
suspended while synchronous code waits point to memory that other code uses by then, and the interpreter dies of "memory
access out of bounds". A full collection looks at no stack (docs/decisions/0026).
"""

import gc
from typing import Final

#: A run leaves about a thousand objects in cycles. This many take some milliseconds to collect, and about 1.4 MiB.
NEW_OBJECTS: Final = 5_000


def keep_what_is_there() -> None:
    """Exclude all present objects from later collections; called once, when all imports are done."""
    gc.disable()
    gc.collect()
    gc.freeze()


def collect_if_due() -> None:
    """Collect if enough objects are new. Call it often: it costs next to nothing while no collection is due."""
    if gc.get_count()[0] > NEW_OBJECTS:
        gc.collect()
