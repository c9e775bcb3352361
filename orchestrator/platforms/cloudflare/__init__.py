"""Containers in a Cloudflare account: a gateway Worker, and the public REST API."""
