"""Where containers run: a port (``port``), its adapters, and what they share."""
