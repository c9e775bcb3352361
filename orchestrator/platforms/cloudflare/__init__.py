"""Cloudflare: containers behind a gateway Worker in the owner's account.

``gateway`` is the adapter of the port; ``worker`` the gateway's own source, shipped as
data; ``project`` writes and checks what is deployed; ``rest`` is the client of the
public API, which ``witness`` asks for what the gateway cannot see.
"""
