"""The hot path: bytes in, positions of their parts out. Kernels in viper: they allocate nothing and raise nothing.

scan() makes the index of a message: eight words about it, then four for each header field line. decode() finds the parts of the fields that every message must have.
Positions are 16 bits wide, so a message is at most 65,535 bytes. Bounds are kept by the kernels themselves.
"""

from array import array

import micropython
from micropython import const

# Ids of the header fields that the user agent reads: their names' places in _NAMES. field() gives those of the others:
# a constant that nobody reads would lie in the heap for its name alone. decode() relies on the first eight.
H_VIA = const(1)
H_FROM = const(2)
H_TO = const(3)
H_CALL_ID = const(4)
H_CSEQ = const(5)
H_CONTACT = const(6)
H_CONTENT_TYPE = const(9)
H_RECORD_ROUTE = const(10)
H_ROUTE = const(11)
H_EXPIRES = const(12)
H_REQUIRE = const(15)
H_AUTHORIZATION = const(17)
H_WWW_AUTHENTICATE = const(19)
H_PROXY_AUTHENTICATE = const(20)
H_MIN_EXPIRES = const(23)
H_TIMESTAMP = const(34)

_NAMES = (
    b"via from to call-id cseq contact max-forwards content-length content-type record-route route expires allow "
    b"supported require user-agent authorization proxy-authorization www-authenticate proxy-authenticate "
    b"session-expires min-se min-expires rack rseq event refer-to referred-by replaces retry-after unsupported "
    b"proxy-require content-encoding timestamp date subscription-state alert-info call-info p-asserted-identity "
    b"privacy diversion path service-route accept reason server warning subject content-disposition allow-events "
    b"authentication-info v f t i m l c k x o r b e s u "
)
# what the compact forms, the last of _NAMES, stand for
_COMPACT = b"\x01\x02\x03\x04\x06\x08\x09\x0e\x15\x1a\x1b\x1c\x21\x30\x32"
_KNOWN = const(51)
_METHODS = b"INVITE ACK BYE CANCEL OPTIONS REGISTER INFO UPDATE PRACK MESSAGE NOTIFY SUBSCRIBE REFER PUBLISH "

# _TABLE's parts
_IDS = const(256)
_LOWS = const(336)
_HIGHS = const(416)
_METHOD_SLOTS = const(496)
_METHOD_STARTS = const(528)
_TEXT = const(544)
_METHODS_AT = const(1118)  # _TEXT and _NAMES before it
_PROTOCOL_AT = const(1214)  # and _METHODS


def _make_table():
    # slot of a name -> its number -> its id and where it is written; the same for methods
    table = bytearray(_TEXT)
    start = _TEXT
    for number, name in enumerate(_NAMES.split(), 1):
        table[len(name) * 14 + name[0] * 2 + name[-1] & 255] = number
        table[_IDS + number] = number if number <= _KNOWN else _COMPACT[number - _KNOWN - 1]
        table[_LOWS + number] = start & 255
        table[_HIGHS + number] = start >> 8
        start += len(name) + 1
    start = 0
    for number, name in enumerate(_METHODS.split(), 1):
        table[_METHOD_SLOTS + (name[0] * 3 + len(name) & 31)] = number
        table[_METHOD_STARTS + number] = start
        start += len(name) + 1
    return bytes(table + _NAMES + _METHODS + b"sip/")


_TABLE = _make_table()
# methods by the number that decode() gives
METHODS = (b"",) + tuple(_METHODS.split())

# An index's first eight words: 0 start line, 1 its end, 2 body, 3 number of fields, 4 and 5 the start line's first and last
# space, 6 status (0: a request), 7 flags: 1 no blank line, 2 too many fields, 4 bad line, 8 bad version, 16 bad start line.
# Then four for each field: its id (256 added when it is folded), where its name, its value and the value's end are.
FIELDS = const(8)
MAX_FIELDS = const(64)


def field(name):
    """The id of a known header field by its lower-case name (bytes); ValueError for one that is not."""
    return _NAMES.split()[:_KNOWN].index(name) + 1


@micropython.viper
def scan(buf: ptr8, i: int, c: int, w: ptr16) -> int:
    """Indexes the message in buf, from i to c, into w (FIELDS + 4 * MAX_FIELDS words). Returns how many words it took."""
    # i and c are parameters because viper keeps the first three locals in registers
    n = c
    flags = 0
    t = ptr8(_TABLE)
    # Up to the last LF every search for an LF ends without looking at n.
    last = n - 1
    while last >= 0 and buf[last] != 10:
        last -= 1
    # RFC 3261 7.5: empty lines before the start line
    while i <= last and (buf[i] == 13 or buf[i] == 10):
        i += 1
    w[0] = i
    w[2] = n
    w[3] = 0
    w[6] = 0
    if i >= last:
        w[1] = i
        w[4] = i
        w[5] = i
        w[7] = 17  # BAD_START, NO_BLANK_LINE
        return 8
    # start line
    s = 0
    e = 0
    spaces = 0
    while True:
        c = buf[i]
        if c <= 32:
            if c == 32:
                spaces += 1
                if spaces == 1:
                    s = i
                e = i
            elif c == 10:
                break
            elif c != 13 or buf[i + 1] != 10:
                flags |= 16
        i += 1
    k = w[0]
    j = i
    if buf[j - 1] == 13:
        j -= 1
    w[1] = j
    c = buf[k]
    if s - k >= 5 and (c | 32) == 115 and (buf[k + 1] | 32) == 105 and (buf[k + 2] | 32) == 112 and buf[k + 3] == 47:
        # SIP/2.0 200 OK
        e = s + 4
        c = 0
        if e > j or (e < j and buf[e] != 32):
            flags |= 16
        else:
            while s + 1 < e:
                s += 1
                h = buf[s] - 48
                if h < 0 or h > 9:
                    flags |= 16
                c = c * 10 + h
            s -= 3
            if c < 100 or c > 699:
                flags |= 16
        # never 0: what begins as a response is none of the requests
        w[6] = c if c else 1
        h = k
        j = s
    else:
        # INVITE sip:bob@example.com SIP/2.0
        if spaces != 2 or s == k or e == s + 1:
            flags |= 16
        h = e + 1
    w[4] = s
    w[5] = e
    if (
        j - h < 7 or (buf[h] | 32) != 115 or (buf[h + 1] | 32) != 105 or (buf[h + 2] | 32) != 112 or buf[h + 3] != 47
    ):  # fmt: skip
        flags |= 16
    elif j - h != 7 or buf[h + 4] != 50 or buf[h + 5] != 46 or buf[h + 6] != 48:
        flags |= 8
    # header fields
    k = 8
    i += 1
    while True:
        if i > last:
            flags |= 1
            break
        c = buf[i]
        if c <= 13:
            if c == 10:
                w[2] = i + 1
                break
            if c == 13 and buf[i + 1] == 10:
                w[2] = i + 2
                break
        # the name
        s = i
        while True:
            c = buf[i]
            if c <= 58:
                if c == 58:
                    break
                if c <= 32:
                    break
            i += 1
        e = i - s
        while c == 32 or c == 9:
            i += 1
            c = buf[i]
        h = 0
        if c != 58 or e == 0:
            h = 255
        else:
            i += 1
            c = t[(e * 14 + (buf[s] | 32) * 2 + (buf[s + e - 1] | 32)) & 255]
            if c:
                h = c
                c = t[_LOWS + c] + (t[_HIGHS + c] << 8) - s
                j = s
                e += s
                while j < e:
                    if (buf[j] | 32) != t[c + j]:
                        break
                    j += 1
                if j == e and t[c + j] == 32:
                    h = t[_IDS + h]
                else:
                    h = 0
        # the value
        while True:
            c = buf[i]
            if c != 32 and c != 9:
                break
            i += 1
        j = i
        while True:
            while buf[i] != 10:
                i += 1
            e = i
            i += 1
            if i > last:
                break
            c = buf[i]
            if c != 32 and c != 9:
                break
            h |= 256
        if h & 256:
            while j < e and buf[j] <= 32:
                j += 1
        while e > j:
            c = buf[e - 1]
            if c > 32 or (c != 13 and c != 32 and c != 9 and c != 10):
                break
            e -= 1
        if (h & 255) == 255:
            flags |= 4
        elif k == 264:
            flags |= 2
        else:
            w[k] = h
            w[k + 1] = s
            w[k + 2] = j
            w[k + 3] = e
            k += 4
    w[3] = (k - 8) >> 2
    w[7] = flags
    return k


@micropython.viper
def find(w: ptr16, h: int, k: int) -> int:
    """Where in the index w, from word k on, the next field with id h is; -1 when there is none."""
    n = (w[3] << 2) + 8
    while k < n:
        if (w[k] & 255) == h:
            return k
        k += 4
    return -1


@micropython.viper
def outside(buf: ptr8, i: int, e: int, wanted: int) -> int:
    """Where in buf, from i to e, the byte `wanted` first stands outside of quotes and <>; -1 when it does not."""
    while i < e:
        c = buf[i]
        if c == wanted:
            return i
        if c == 34:
            i += 1
            while i < e:
                c = buf[i]
                if c == 34:
                    break
                if c == 92:
                    i += 1
                i += 1
        elif c == 60:
            while i < e and buf[i] != 62:
                i += 1
        i += 1
    return -1


# decode()'s answer: a Via's parts, From's, To's, then single words. A part is where it begins and ends, 0 and 0 when absent.
PARTS = const(44)


def parts():
    """Room for what decode() finds."""
    return array("H", bytes(2 * PARTS))


@micropython.viper
def decode(buf: ptr8, i: int, e: int, w: ptr16, p: ptr16) -> int:
    """Finds the parts of the mandatory fields that the index w names from word i to e.

    p[0:12]   the first Via: host, host's end, port, branch, its end, received, its end, 1 if it has rport, rport's number,
              transport, its end or (UDP, TCP, TLS) 0 and 1, 2, 3 instead; 1 if there are more Vias
    p[12:20]  the first From: display, its end, URI, its end, tag, its end, 1 if display has escapes or folds, end of value
    p[20:28]  the first To, likewise
    p[28:36]  the first Contact, likewise; URI 0, 0 when absent
    p[36:44]  Call-ID, its end; CSeq's number, high and low 16 bits; its method, its end or 0 and METHODS' number;
              Max-Forwards (65535: absent); Content-Length (65535: absent)

    Returns bits: 1 << id for a field that is malformed (From, To, Call-ID, CSeq, Max-Forwards, Content-Length: also when
    it is there twice; Via: up to its sent-by), 1 for a Via whose parameters are malformed, 1 << 9 + id for a missing Via,
    From, To, Call-ID or CSeq.
    """
    k = i
    n = e
    bad = 0
    seen = 0
    t = ptr8(_TABLE)
    p[30] = 0
    p[42] = 65535
    p[43] = 65535
    while k < n:
        h = w[k] & 255
        if h == 0 or h > 8:
            k += 4
            continue
        i = w[k + 2]
        e = w[k + 3]
        k += 4
        bit = 1 << h
        if seen & bit:
            if h == 1:
                p[11] = 1
            elif h != 6:
                bad |= bit
            continue
        seen |= bit
        if h <= 3 or h == 6:
            if h == 1:
                b = 0
                p[3] = 0
                p[4] = 0
                p[5] = 0
                p[6] = 0
                p[7] = 0
                p[8] = 0
                p[11] = 0
                # SIP / version / transport
                s = 0
                while i < e:
                    c = buf[i]
                    if c > 32:
                        if s < 4:
                            if (c | 32) != t[_PROTOCOL_AT + s]:
                                break
                            s += 1
                        elif c == 47:
                            s = 5
                            break
                    i += 1
                if s != 5:
                    bad |= bit
                    continue
                i += 1
                while i < e and buf[i] <= 32:
                    i += 1
                s = i
                while i < e and buf[i] > 32:
                    i += 1
                p[9] = s
                p[10] = i
                if i - s == 3:
                    c = buf[s + 2] | 32
                    if c == 112:
                        c = buf[s + 1] | 32
                        if c == 100 and (buf[s] | 32) == 117:
                            p[9] = 0
                            p[10] = 1
                        elif c == 99 and (buf[s] | 32) == 116:
                            p[9] = 0
                            p[10] = 2
                    elif c == 115 and (buf[s + 1] | 32) == 108 and (buf[s] | 32) == 116:
                        p[9] = 0
                        p[10] = 3
                c = i - s
                # sent-by
                while i < e and buf[i] <= 32:
                    i += 1
                s = i
                if c == 0 or i >= e:
                    bad |= bit
                    continue
                if buf[i] == 91:
                    s += 1
                    c = 0
                    i += 1
                    while i < e:
                        c = buf[i]
                        if not (c <= 58 and c >= 48) and c != 46 and not ((c | 32) >= 97 and (c | 32) <= 102):
                            break
                        i += 1
                    p[0] = s
                    p[1] = i
                    if c != 93 or i - s < 2:
                        bad |= bit
                        continue
                    i += 1
                else:
                    while i < e:
                        c = buf[i]
                        if c > 57:
                            if c < 65 or (c > 90 and c < 97 and c != 95) or c > 122:
                                break
                        elif c < 45 or c == 47:
                            break
                        i += 1
                    p[0] = s
                    p[1] = i
                    if i == s:
                        bad |= bit
                        continue
                c = 0
                while i < e and buf[i] <= 32:
                    i += 1
                if i < e and buf[i] == 58:
                    i += 1
                    while i < e and buf[i] <= 32:
                        i += 1
                    s = i
                    while i < e and buf[i] >= 48 and buf[i] <= 57 and c <= 65535:
                        c = c * 10 + buf[i] - 48
                        i += 1
                    if i == s or c > 65535:
                        bad |= bit
                        c = 0
                p[2] = c
            else:
                b = h * 8 - 4
                if h == 6:
                    b = 28
                p[b + 4] = 0
                p[b + 5] = 0
                p[b + 6] = 0
                if i >= e:
                    bad |= bit
                    continue
                # the display name: quoted, or tokens
                s = i
                j = i
                x = 0
                c = buf[i]
                if c == 34:
                    s += 1
                    i += 1
                    while i < e:
                        c = buf[i]
                        if c == 34:
                            break
                        if c == 92:
                            p[b + 6] = 1
                            i += 1
                        elif c == 10:
                            p[b + 6] = 1
                        i += 1
                    j = i
                    i += 1
                    while i < e and buf[i] <= 32:
                        i += 1
                    if i >= e or buf[i] != 60:
                        bad |= bit
                        continue
                else:
                    while i < e:
                        c = buf[i]
                        if c <= 63:
                            if c <= 32:
                                if c == 10:
                                    p[b + 6] = 1
                                i += 1
                                continue
                            if c == 60 or c == 59 or c == 44 or c == 34:
                                break
                            if c == 63:
                                # RFC 3261 20: a URI with ? needs <>
                                x |= 2
                            elif c == 58 and i > s:
                                x |= 1
                        if i > j and i > s:
                            x |= 2
                        i += 1
                        j = i
                    if i < e and buf[i] == 34:
                        bad |= bit
                        continue
                if i < e and buf[i] == 60:
                    p[b] = s
                    p[b + 1] = j
                    i += 1
                    while i < e and buf[i] <= 32:
                        i += 1
                    s = i
                    j = i
                    x = 0
                    while i < e:
                        c = buf[i]
                        if c <= 62:
                            if c <= 32:
                                i += 1
                                continue
                            if c == 62:
                                break
                            if c == 58 and i > s:
                                x |= 1
                            elif c == 60 or c == 34:
                                x |= 2
                        if i > j:
                            x |= 2
                        i += 1
                        j = i
                    if i >= e:
                        bad |= bit
                        continue
                    i += 1
                else:
                    # addr-spec alone: what follows ; is the field's
                    p[b] = 0
                    p[b + 1] = 0
                p[b + 2] = s
                p[b + 3] = j
                if x != 1 and not (j - s == 1 and buf[s] == 42):
                    bad |= bit
                    continue
            if h == 1:
                # sent-by is good: whatever follows, an answer finds its way
                bit = 1
            # ;name=value...
            while i < e:
                c = buf[i]
                if c <= 32:
                    i += 1
                    continue
                if c != 59:
                    if c != 44 or (h != 1 and h != 6):
                        bad |= bit
                    break
                i += 1
                while i < e and buf[i] <= 32:
                    i += 1
                s = i
                while i < e:
                    c = buf[i]
                    if c <= 61:
                        if c == 61 or c == 59 or c == 44 or c <= 32:
                            break
                    i += 1
                x = i - s
                if x == 0 and i < e:
                    bad |= bit
                    break
                while i < e and buf[i] <= 32:
                    i += 1
                j = i
                if i < e and buf[i] == 61:
                    i += 1
                    while i < e and buf[i] <= 32:
                        i += 1
                    j = i
                    if i < e and buf[i] == 34:
                        i += 1
                        while i < e:
                            c = buf[i]
                            if c == 34:
                                break
                            if c == 92:
                                i += 1
                            i += 1
                        i += 1
                        if i > e:
                            bad |= bit
                            break
                    else:
                        while i < e:
                            c = buf[i]
                            if c <= 59:
                                if c == 59 or c == 44 or c <= 32:
                                    break
                            i += 1
                # only exact names: | 32 makes a letter of nothing but a letter
                c = 0
                if h != 1:
                    if x == 3 and (buf[s] | 32) == 116 and (buf[s + 1] | 32) == 97 and (buf[s + 2] | 32) == 103:
                        c = b + 4
                elif x == 6:
                    if (
                        (buf[s] | 32) == 98 and (buf[s + 1] | 32) == 114 and (buf[s + 2] | 32) == 97
                        and (buf[s + 3] | 32) == 110 and (buf[s + 4] | 32) == 99 and (buf[s + 5] | 32) == 104
                    ):  # fmt: skip
                        c = 3
                elif x == 5:
                    if (
                        (buf[s] | 32) == 114 and (buf[s + 1] | 32) == 112 and (buf[s + 2] | 32) == 111
                        and (buf[s + 3] | 32) == 114 and (buf[s + 4] | 32) == 116
                    ):  # fmt: skip
                        c = 7
                elif x == 8:
                    if (
                        (buf[s] | 32) == 114 and (buf[s + 1] | 32) == 101 and (buf[s + 2] | 32) == 99
                        and (buf[s + 3] | 32) == 101 and (buf[s + 4] | 32) == 105 and (buf[s + 5] | 32) == 118
                        and (buf[s + 6] | 32) == 101 and (buf[s + 7] | 32) == 100
                    ):  # fmt: skip
                        c = 5
                if c == 7:
                    # rport, with a number or without
                    p[7] = 1
                    c = 0
                    while j < i:
                        if buf[j] < 48 or buf[j] > 57 or c > 6553:
                            bad |= bit
                            break
                        c = c * 10 + buf[j] - 48
                        j += 1
                    if c > 65535:
                        bad |= bit
                    p[8] = c
                elif c and p[c] == 0:
                    p[c] = j
                    p[c + 1] = i
            if h == 1:
                if i < e:
                    p[11] = 1
            else:
                p[b + 7] = i
        elif h == 4:
            p[36] = i
            p[37] = e
            if i == e:
                bad |= bit
            while i < e:
                if buf[i] <= 32:
                    bad |= bit
                i += 1
        else:
            s = i
            x = 0
            # a number: 31 bits here, since it must also fit where ints are 32 bits wide
            while i < e:
                c = buf[i] - 48
                if c < 0 or c > 9:
                    break
                if x > 214748363:
                    bad |= bit
                    x = 0
                x = x * 10 + c
                i += 1
            if i == s:
                bad |= bit
            if h == 5:
                p[38] = x >> 16
                p[39] = x & 65535
                s = i
                while i < e and buf[i] <= 32:
                    i += 1
                if s == i or i == e:
                    bad |= bit
                p[40] = i
                p[41] = e
                if i < e:
                    x = t[_METHOD_SLOTS + ((buf[i] * 3 + e - i) & 31)]
                    if x:
                        s = t[_METHOD_STARTS + x] + _METHODS_AT - i
                        while i < e:
                            if buf[i] != t[s + i]:
                                break
                            i += 1
                        if i == e and t[s + i] == 32:
                            p[40] = 0
                            p[41] = x
                    i = p[40]
                    while i and i < e:
                        if buf[i] <= 32:
                            bad |= bit
                        i += 1
            else:
                if i != e:
                    bad |= bit
                if x > 65534:
                    x = 65534
                if h == 7:
                    p[42] = x
                    if x > 255:
                        bad |= bit
                else:
                    p[43] = x
    # what is missing or malformed must not keep an earlier message's parts
    seen = 62 & (seen ^ -1)
    x = bad | seen
    if x:
        h = 1
        i = 0
        while h <= 8:
            e = i + 8
            if h == 1:
                e = 12
            elif h >= 7:
                e = i + 1
            elif h == 4:
                i = 36
                e = 38
            elif h == 5:
                e = 42
            elif h == 6:
                i = 28
                e = 36
            if h == 7:
                i = 42
                e = 43
            while i < e:
                if x & (1 << h):
                    p[i] = 65535 if h > 6 else 0
                i += 1
            h += 1
    return bad | seen << 9
