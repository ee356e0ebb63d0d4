"""Pages for people: the catalog of charts, server-rendered, readable without JavaScript."""
