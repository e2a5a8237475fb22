"""Keys that we press for the other side. Loaded for the moment by lend(), and there as long as keys go by INFO."""

import asyncio

from lend import lend
from micropython import const

from .config import Mistake
from .console import Lines

_KEYS = const("0123456789*#ABCD")  # as RFC 4733 3.2 counts them
_MOST = const(16)  # at a time: what media.keys holds


def keys(door, text):
    """Presses keys for the other side, "12#", as dtmf.send says. Mistake, in words, if that cannot be."""
    call = lend("door.talk").talking(door)
    if isinstance(text, int) and text >= 0:
        text = str(text)
    text = text.replace(" ", "").upper() if isinstance(text, str) else ""
    if not text or [c for c in text if c not in _KEYS] or len(text) > _MOST:
        raise Mistake('door.keys() takes 1 to %d of the keys 0-9, *, # and A-D: door.keys("12#")' % _MOST)
    get = door.config.get
    tone_ms, gap_ms = get("dtmf.tone_ms"), get("dtmf.gap_ms")
    if get("dtmf.send") == "info":
        asyncio.create_task(_by_info(call, text, tone_ms, gap_ms))
        return Lines("Sending %s by INFO." % text)
    if call.media is None or call.media.events < 0:
        raise Mistake('the other side takes no keys with the sound; door.set("dtmf.send", "info") sends them by INFO')
    for n in range(len(text)):
        if not door._stream.send_digit(_KEYS.find(text[n]), tone_ms, gap_ms):
            raise Mistake("keys are still being sent; %s waits, the rest is lost: try again in a moment" % (text[:n] or "nothing"))
    return Lines("Sending %s." % text)


async def _by_info(call, text, tone_ms, gap_ms):
    """One INFO a key, and none before the one before it was answered: UDP keeps no order."""
    news = call.news
    for c in text:
        if call.state != "up":
            return
        body = b"Signal=%s\r\nDuration=%d\r\n" % (c.encode(), tone_ms)
        sent = call.send(b"INFO", (), body, b"application/dtmf-relay")
        await asyncio.sleep_ms(tone_ms + gap_ms)
        while sent is not None and sent.is_live:
            await asyncio.sleep_ms(20)
        if call.news is not news:  # it was refused
            return
