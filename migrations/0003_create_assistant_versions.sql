-- The versions of assistants. An assistant's current version is its own row; it is copied here before it is replaced.

CREATE TABLE assistant_versions (
    assistant_id TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    graph_id     TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    description  TEXT,
    config       TEXT    NOT NULL,
    context      TEXT    NOT NULL,
    metadata     TEXT    NOT NULL,
    created_at   TEXT    NOT NULL,
    PRIMARY KEY (assistant_id, version)
) WITHOUT ROWID;

-- Serve POST /assistants/search with another `sort_by`; the second also finds an MCP tool by its name.
CREATE INDEX assistants_by_updated_at ON assistants (updated_at, assistant_id);
CREATE INDEX assistants_by_name ON assistants (name, assistant_id);

-- Serves the same for one graph in the default order; sorting by `graph_id` sorts the assistants of each graph.
CREATE INDEX assistants_by_graph_id ON assistants (graph_id, created_at DESC, assistant_id DESC);
