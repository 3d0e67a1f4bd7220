"""One module for each area of the API; each coroutine function in it is a script that is played on both servers.

A script must do the same on every server: what depends on timing is waited for (`settled`, `idle`, `until_event`), and
what other scripts leave behind is filtered out, by metadata for instance.
"""
