"""The HTTP API: one aiohttp application, on a Unix socket and where it is told to.

``routes``: what can be asked for, one table (``reading_routes``, ``asking_routes``, of
values of ``route``, with ``parameters``).  ``app``: the table wired to what answers.
``looks``, ``past``, ``asks``, ``about``: what answers.  ``queries``, ``bodies``: what
is read and written.  ``answers``, ``steps``, ``timelines``, ``pages_of_events``: what
they say.  ``statuses``: the one table from errors to HTTP statuses and exit codes.
``openapi``, ``schemas``: the same table and classes, for machines.
``guard``, ``listen``, ``socket``: the door.  ``live``, ``metrics``: streams, numbers.
``pages``: the page.
"""
