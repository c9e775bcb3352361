"""The HTTP API: one aiohttp application, served on a Unix socket.

``statuses``: the one table from errors to HTTP statuses and exit codes.  ``bodies``:
requests read, answers written.  ``app``: the routes.  ``socket``: where it listens.
"""
