"""A SIP user agent library (RFC 3261) that knows no audio, no door and no board."""
