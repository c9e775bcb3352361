"""The HTTP API: one aiohttp application, served on a Unix socket.

``statuses``: the one table from errors to HTTP statuses and exit codes.  ``bodies``:
requests read, answers written.  ``moments``: places of the past in a request.
``headers``: what an answer says beside its body.
``app``: the routes.  ``socket``: where it listens.
"""
