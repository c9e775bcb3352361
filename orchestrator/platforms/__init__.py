"""Where containers run: a port (``port``) and its adapters."""
