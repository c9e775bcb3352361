"""What the texts of a history are, and which of them may be shared as they are."""

from __future__ import annotations

from enum import StrEnum

__all__ = ("Kept", "Kind")


class Kept(StrEnum):
    """What may be shared as it is."""

    NAMES = "names"
    CONFIG = "config"
    TEXTS = "texts"
    ADDRESSES = "addresses"
    PARAMS = "params"


class Kind(StrEnum):
    """What a text is."""

    NAME = "name"
    SERVICE = "service"
    GROUP = "group"
    FLEET = "fleet"
    PORT = "port"
    CONFIG_KEY = "config_key"
    ENV_KEY = "env_key"
    HEADER = "header"
    SECRET = "secret"  # noqa: S105 - the key of one, never one
    PARAM_KEY = "param_key"
    IMAGE = "image"
    WORD = "word"
    PATH = "path"
    CONFIG_VALUE = "config_value"
    REGION = "region"
    JURISDICTION = "jurisdiction"
    HINT = "hint"
    PARAM_VALUE = "param_value"
    TEXT = "text"
    ADDRESS = "address"
    CURSOR = "cursor"
    FINGERPRINT = "fingerprint"
    TICKET = "ticket"
    URL = "url"
