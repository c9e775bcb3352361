"""The ``orchestrator`` command.

``main``: its commands, each loaded when it is called.  ``up``, ``running``, ``live``:
an operator in the foreground.  ``asks``, ``reads``: requests to a running one, over
its Unix socket.  ``demo``, ``tools``, ``journals``: what needs none.  ``state``: which
state folder is meant.  ``client``: HTTP over the socket.  ``shown``: tables and lines.
"""
