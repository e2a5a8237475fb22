"""The wire's bytes and codes in words that a person reads."""

from lend import lend


def text(value):
    """Bytes of the wire as printable text: UTF-8 where it is, else each odd byte as '?'."""
    try:
        decoded = value.decode()
    except UnicodeError:
        decoded = "".join([chr(byte) if byte < 127 else "?" for byte in value])
    # A terminal obeys control characters, those of 7 and of 8 bits: none of the network's may reach it.
    return "".join(["?" if char < " " or "\x7f" <= char < "\xa0" else char for char in decoded])


def ending(status, reason=b""):
    """Why a call ended, from its final status: "busy (486)"."""
    return lend("sip.endings").ending(status, reason)
