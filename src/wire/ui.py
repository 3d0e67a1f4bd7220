"""Generative UI on the wire."""

from wire.bodies import Body


class ComponentRequest(Body):
    """The body of POST /ui/{graph_id}."""

    #: The component: a key of the object that the UI's file exports.
    name: str
