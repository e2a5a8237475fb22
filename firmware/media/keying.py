"""Keys of SRTP in use: session keys derived from the master keys (RFC 3711 4.3) when SDP agreed on some. Lent for the moment.

`keys`: (bytes of a packet's tag, our master key and salt, theirs), 16 and 14 bytes; from each come the keys of RTP and RTCP."""

from array import array

from cryptolib import aes
from micropython import const

from . import srtp

_ECB = const(1)
_KEYING_WORDS = const(14)
_EVENT_BYTES = const(16)  # a packet that is a key
_SHA1 = b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10\xf0\xe1\xd2\xc3"  # little-endian


def secured(old, keys, longest):
    """An Srtp for these keys; `old`, the call's so far, goes on with what is the same (RFC 4568 7.1.4). `longest`: bytes of an
    RTP packet of ours."""
    new = old or srtp.Srtp(keys, array("i", bytes(4 * srtp.WORDS)), longest)
    state = new.state
    ciphers = [None] * 4
    kept = new.ciphers
    for side in (0, 1):
        if old and old.keys[1 + side] == keys[1 + side]:
            ciphers[side], ciphers[2 + side] = kept[side], kept[2 + side]
            continue
        for k in (side, 2 + side):
            ciphers[k] = _keying(state, _KEYING_WORDS * k, keys[1 + side], 3 * (k >> 1), new.work)
        _restart(state, side)
    new.keys = keys
    new.cut(longest + keys[0])
    new.cut(_EVENT_BYTES + keys[0])
    new.ciphers = ciphers
    return new


def _restart(state, side):
    """Packets are counted afresh with a new key."""
    if not side:
        first, last = srtp.SENT, srtp.GUESS
    else:
        # Who keeps its roll-over counter with its new key goes on where it was; who does not is at 0, which is tried first.
        roc = max([state[k + 2] for k in range(srtp.SOURCES, srtp.RTCP_SOURCES, 8)])
        state[srtp.GUESS] = roc or 1
        first, last = srtp.SOURCES, srtp.WORDS
    for k in range(first, last):
        state[k] = 0


def derive(cipher, salt, label, n):
    """n bytes of session key (4.3.1, the key derivation rate being 0). `cipher`: AES with the master key."""
    block = bytearray(32)
    block[:14] = salt
    block[7] ^= label
    block[16:30] = block[:14]
    block[31] = 1
    return cipher.encrypt(block)[:n]


def _keying(state, at, master, label, work):
    """One of the four keyings -> what encrypts with its key."""
    cipher = aes(master[:16], _ECB)
    salt = master[16:]
    at = authentication(state, at, derive(cipher, salt, label + 1, 20), work)
    state[at : at + 4] = array("i", derive(cipher, salt, label + 2, 14) + b"\0\0")
    return aes(derive(cipher, salt, label, 16), _ECB).encrypt


def authentication(state, at, key, work):
    """HMAC's two hashes of a key of 20 bytes (RFC 2104), to state[at] -> the place behind them."""
    for pad in (0x36, 0x5C):
        state[srtp.HASH : srtp.HASH + 5] = array("i", _SHA1)
        for k in range(64):
            work[k ^ 3] = pad ^ (key[k] if k < 20 else 0)
        srtp.compress(work, state)
        state[at : at + 5] = state[srtp.HASH : srtp.HASH + 5]
        at += 5
    return at
