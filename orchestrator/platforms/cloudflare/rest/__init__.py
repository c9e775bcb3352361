"""Cloudflare's public REST API for containers: what the account knows.

``client`` is the face; ``calls`` and ``flows`` are what it does, over ``http``, whose
answers ``errors``, ``reading`` and ``answers`` turn into the values of ``types``.
"""
