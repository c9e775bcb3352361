"""The simulated platform: a world made of values behind the platform port."""
