"""When a refusal says that it may be tried again (RFC 3261 20.33). Loaded for the moment by modify.py and registering.py."""

from .scan import field


def retry_after_s(message):
    """Seconds of a response's Retry-After, its comment and parameters aside; -1 without one that can be read."""
    value = message.get(field(b"retry-after")) or b""
    value = value.split(b";")[0].split(b"(")[0].strip()
    return int(value) if value.isdigit() and len(value) < 6 else -1
