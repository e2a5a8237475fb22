"""The wire's bytes and codes in words that a person reads."""

from lend import lend


def text(value):
    """Bytes of the wire as printable text: UTF-8 where it is, else each odd byte as '?'."""
    try:
        decoded = value.decode()
    except UnicodeError:
        decoded = bytes([byte if byte < 127 else 63 for byte in value]).decode()
    # A terminal obeys control characters, those of 7 and of 8 bits (behind C2): none of the network's may reach it.
    for byte in value:
        if byte < 32 or byte == 127 or byte == 0xC2:
            break
    else:
        return decoded  # character by character, each would become a name of the interpreter, for good
    return "".join(["?" if char < " " or "\x7f" <= char < "\xa0" else char for char in decoded])


def ending(status, reason=b""):
    """Why a call ended, from its final status: "busy (486)"."""
    return lend("sip.endings").ending(status, reason)
