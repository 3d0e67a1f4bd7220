"""From a graph to its subscribers: JSON, events, the gate, the log and the fan-out."""
