"""Settings that must be in place before anything imports langgraph."""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
