"""The graphs of the benchmark and what each is run with; `graphs/` has them. No model is involved."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PROJECT: Final = Path(__file__).parent / "graphs" / "langgraph.json"


@dataclass(frozen=True, slots=True)
class Workload:
    """A graph of `graphs/langgraph.json` and its input."""

    name: str
    graph: str
    input: Any


HELLO: Final = {"messages": [{"role": "user", "content": "hello"}]}

#: Four nodes in sequence, each appends one message.
G1: Final = Workload("G1", "sequence", HELLO)
#: The same, each node awaits 50 ms.
G2: Final = Workload("G2", "waiting", HELLO)
#: A loop of 50 super-steps.
G3: Final = Workload("G3", "loop", {"steps": 50})
#: A chat graph whose model streams 200 tokens.
G4: Final = Workload("G4", "chat", HELLO)
#: A question and its answer.
G5: Final = Workload("G5", "approval", HELLO)


def loop_of(steps: int) -> Workload:
    """G3 with another number of super-steps, to fill a thread with checkpoints."""
    return Workload(f"G3x{steps}", G3.graph, {"steps": steps})
