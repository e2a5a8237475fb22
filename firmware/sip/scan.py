"""The hot path: bytes in, positions of their parts out, and then the values that are there. Kernels in viper: those that find
positions allocate nothing and raise nothing, those that make values raise MemoryError at the most.

scan() makes the index of a message: eight words about it, then four for each header field line. decode() finds the parts of
the fields that every message must have, fill() and each() make objects of them. Positions are 16 bits wide, so a message is at
most 65,535 bytes. Bounds are kept by the kernels themselves: no field ends a message, a byte that ends it always follows.
"""

from array import array
from collections import namedtuple

import micropython
from micropython import const
from uctypes import bytes_at

# Ids of the header fields that the user agent reads: their names' places in _TEXT. field() gives those of the others:
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

_TEXT = (
    b"via from to call-id cseq contact max-forwards content-length content-type record-route route expires allow "
    b"supported require user-agent authorization proxy-authorization www-authenticate proxy-authenticate "
    b"session-expires min-se min-expires rack rseq event refer-to referred-by replaces retry-after unsupported "
    b"proxy-require content-encoding timestamp date subscription-state alert-info call-info p-asserted-identity "
    b"privacy diversion path service-route accept reason server warning subject content-disposition allow-events "
    b"authentication-info v f t i m l c k x o r b e s u "
    b"INVITE ACK BYE CANCEL OPTIONS REGISTER INFO UPDATE PRACK MESSAGE NOTIFY SUBSCRIBE REFER PUBLISH "
    b"tag branch rport received sip/2.0/ BBBBBBBBBBBBCCCCCCCCDDDDDDDDGGGGGGGGEEFFFFHIF"
)
# what the compact forms, the last of the names, stand for
_COMPACT = b"\x01\x02\x03\x04\x06\x08\x09\x0e\x15\x1a\x1b\x1c\x21\x30\x32"
_KNOWN = const(51)

# _TABLE's parts
_IDS = const(256)
_LOWS = const(336)
_HIGHS = const(416)
_METHOD_SLOTS = const(496)
_METHOD_STARTS = const(528)
_CLASSES = const(544)
# and _TEXT's, behind the fields' names
_METHODS_AT = const(574)
_PARAMS_AT = const(670)  # tag branch rport received
_VERSION_AT = const(696)
_OWNERS_AT = const(705)  # of each of decode()'s words: "A" and the id of the field that it is of

# What a byte over 32 may be part of: a header field's name, a host, a URI in <>, a word of a display name or a scheme,
# a parameter's name, its value. None of them has a byte up to 32: a field's last byte is followed by one, so that a loop
# over such bytes needs no other end.
_NAME = const(1)
_HOST = const(2)
_URI = const(4)
_WORD = const(8)
_PARAM = const(16)
_VALUE = const(32)
_ANY = const(64)
_ENDS = (b":", b"", b'<>"', b'<;,":?', b"=;,", b";,")


# methods by the number that decode() gives
METHODS = (b"",) + tuple(_TEXT[_METHODS_AT:_PARAMS_AT].split())


def _make_table():
    # slot of a name -> its number -> its id and where it is written; the same for methods; a byte's classes
    table = bytearray(_CLASSES + 256)
    start = 0
    for number, name in enumerate(_TEXT[:_METHODS_AT].split(), 1):
        table[len(name) * 14 + name[0] * 2 + name[-1] & 255] = number
        table[_IDS + number] = number if number <= _KNOWN else _COMPACT[number - _KNOWN - 1]
        table[_LOWS + number] = start & 255
        table[_HIGHS + number] = start >> 8
        start += len(name) + 1
    start = 0
    for number, name in enumerate(METHODS[1:], 1):
        table[_METHOD_SLOTS + (name[0] * 3 + len(name) & 31)] = number
        table[_METHOD_STARTS + number] = start
        start += len(name) + 1
    for c in range(33, 256):
        # letters, digits, "-", "." (and "_", which RFC 3261 forbids and people use) make a host
        host = c > 96 and c < 123 or c > 47 and c < 58 or c > 64 and c < 91 or c == 45 or c == 46 or c == 95
        table[_CLASSES + c] = _ANY | _HOST * host
        for k, ends in enumerate(_ENDS):
            if k != 1 and c not in ends:
                table[_CLASSES + c] |= 1 << k
    return bytes(table)


_TABLE = _make_table()
# used once: its room in the heap is wanted for years
del _make_table, _ENDS

# An index's first eight words: 0 start line, 1 its end, 2 body, 3 number of fields, 4 and 5 the start line's first and last
# space, 6 status (0: a request), 7 flags: 1 no blank line, 2 too many fields, 4 bad line, 8 bad version, 16 bad start line.
# Then four for each field: its id (256 added when it is folded), where its name, its value and the value's end are.
FIELDS = const(8)
MAX_FIELDS = const(64)


def field(name):
    """The id of a known header field by its lower-case name (bytes); ValueError for one that is not."""
    at = _TEXT.find(name + b" ")
    while at > 0 and _TEXT[at - 1] != 32:
        at = _TEXT.find(name + b" ", at + 1)
    number = _TEXT.count(b" ", 0, at) + 1  # no list of all: that would be 6 KB for the moment
    if at < 0 or number > _KNOWN:
        raise ValueError(name)
    return number


@micropython.viper
def scan(buf: ptr8, i: int, c: int, w: ptr16) -> int:
    """Indexes the message in buf, from i to c, into w (FIELDS + 4 * MAX_FIELDS words). Returns how many words it took."""
    # i and c are parameters because viper keeps the first three locals in registers
    n = c
    flags = 0
    x = ptr8(_TABLE)
    t = ptr8(int(x) + _CLASSES)
    text = ptr8(_TEXT)
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
        while t[buf[i]] & _ANY:
            i += 1
        c = buf[i]
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
    # neither a blank nor a line's end is in sip/2.0/
    q = ptr8(int(text) + _VERSION_AT - k)
    c = k
    while (buf[c] | 32) == q[c]:
        c += 1
    if s - k >= 5 and c - k >= 4:
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
    q = ptr8(int(text) + _VERSION_AT - h)
    c = h
    while c < j and (buf[c] | 32) == q[c]:
        c += 1
    if c - h < 4 or j - h < 7:
        flags |= 16
    elif c - h != 7 or j != c:
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
        while t[buf[i]] & _NAME:
            i += 1
        e = i
        c = buf[i]
        while c == 32 or c == 9:
            i += 1
            c = buf[i]
        j = i + 1
        h = 0
        if c != 58 or e == s:
            h = 255
        else:
            c = x[((e - s) * 14 + (buf[s] | 32) * 2 + (buf[e - 1] | 32)) & 255]
            if c:
                h = c
                c = x[_LOWS + c] + (x[_HIGHS + c] << 8)
                q = ptr8(int(text) + c - s)
                i = s
                # neither ":" nor LF is in the names, and the blank after each is in none
                while (buf[i] | 32) == q[i]:
                    i += 1
                if i >= e and q[e] == 32:
                    h = x[_IDS + h]
                else:
                    h = 0
            i = j
        # the value
        while True:
            c = buf[i]
            if c != 32 and c != 9:
                break
            i += 1
        j = i
        while True:
            q = ptr8(int(buf) + i)
            while True:
                if q[0] == 10:
                    break
                if q[1] == 10:
                    i += 1
                    break
                if q[2] == 10:
                    i += 2
                    break
                if q[3] == 10:
                    i += 3
                    break
                i += 4
                q = ptr8(int(q) + 4)
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
_LENGTH = const(45)


def parts():
    """Room for what decode() finds."""
    return array("H", bytes(2 * _LENGTH))


# where all but tests let it put that: what is needed of it is taken at once
PARTS = parts()
# an index of one field
_one = array("H", bytes(8))


@micropython.viper
def decode(buf: ptr8, i: int, e: int, w: ptr16, p: ptr16) -> int:
    """Finds the parts of the mandatory fields that the index w names from word i to e. With i=0 w is a single field, and what
    p has of others stays. Where a Via's name was w gets p[11].

    p[0:12]   the first Via: host, host's end, port, branch, its end, received, its end, 1 if it has rport, rport's number,
              transport, its end or (UDP, TCP, TLS) 0 and 1, 2, 3 instead; where the next Via of its line begins
    p[12:20]  the first From: display, its end, URI, its end, tag, its end, 1 if display has escapes or folds, end of value
    p[20:28]  the first To, likewise
    p[28:36]  the first Contact, likewise; URI 0, 0 when absent
    p[36:45]  Call-ID, its end; CSeq's number, high and low 16 bits; its method, its end; Max-Forwards (65535: absent);
              Content-Length (65535: absent); METHODS' number of CSeq's method, 0 when it is none of them

    Returns bits: 1 << id for a field that is malformed (From, To, Call-ID, CSeq, Max-Forwards, Content-Length: also when
    it is there twice; Via: up to its sent-by), 1 for a Via whose parameters are malformed, 1 << 9 + id for a missing Via,
    From, To, Call-ID or CSeq.
    """
    k = i
    whole = i
    n = e
    bad = 0
    seen = 0
    x = ptr8(_TABLE)
    t = ptr8(int(x) + _CLASSES)
    text = ptr8(_TEXT)
    if whole:
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
            if h != 1 and h != 6:
                bad |= bit
            continue
        seen |= bit
        if h <= 3 or h == 6:
            b = 28 if h == 6 else h * 8 - 4
            if h == 1:
                j = 3
                while j < 12:
                    p[j] = 0
                    j += 1
                w[k - 3] = 0
                # SIP/2.0/UDP; blanks may stand around each / and any version
                q = ptr8(int(text) + _VERSION_AT - i)
                s = i + 8
                while i < s and (buf[i] | 32) == q[i]:
                    i += 1
                if i != s:
                    i = s - 8
                    s = 0
                    while i < e:
                        c = buf[i]
                        if c > 32:
                            if s < 4:
                                if (c | 32) != text[_VERSION_AT + s]:
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
                while t[buf[i]] & _ANY:
                    i += 1
                if i > e:
                    i = e
                j = i - s
                p[9] = s
                p[10] = i
                if j == 3:
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
                # sent-by
                while i < e and buf[i] <= 32:
                    i += 1
                s = i
                if j == 0 or i >= e:
                    bad |= bit
                    continue
                if buf[i] == 91:
                    i += 1
                    s = i
                    while True:
                        c = buf[i]
                        if (c > 58 or c < 48) and c != 46 and ((c | 32) < 97 or (c | 32) > 102):
                            break
                        i += 1
                    j = i
                    if c != 93 or i - s < 2:
                        i = s
                    else:
                        i += 1
                else:
                    while t[buf[i]] & _HOST:
                        i += 1
                    j = i
                p[0] = s
                p[1] = j
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
                    while buf[i] >= 48 and buf[i] <= 57 and c <= 65535:
                        c = c * 10 + buf[i] - 48
                        i += 1
                    if i == s or c > 65535:
                        bad |= bit
                        c = 0
                p[2] = c
            else:
                p[b + 4] = 0
                p[b + 5] = 0
                p[b + 6] = 0
                if i >= e:
                    bad |= bit
                    continue
                # the display name: quoted, or words
                s = i
                j = i
                y = 0
                if buf[i] == 34:
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
                        if c <= 32:
                            if c == 10:
                                p[b + 6] = 1
                            i += 1
                            continue
                        if c == 60 or c == 59 or c == 44 or c == 34:
                            break
                        # RFC 3261 20: a URI is one word, and one with ? needs <>
                        if c == 63 or i > j:
                            y |= 2
                        elif c == 58 and i > s:
                            y |= 1
                        i += 1
                        while t[buf[i]] & _WORD:
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
                    while t[buf[i]] & _WORD:
                        i += 1
                    y = 2
                    if buf[i] == 58 and i > s:
                        y = 1
                    while t[buf[i]] & _URI:
                        i += 1
                    j = i
                    while i < e and buf[i] <= 32:
                        i += 1
                    if i >= e or buf[i] != 62:
                        bad |= bit
                        continue
                    i += 1
                else:
                    # addr-spec alone: what follows ; is the field's
                    p[b] = 0
                    p[b + 1] = 0
                p[b + 2] = s
                p[b + 3] = j
                if y != 1 and not (j - s == 1 and buf[s] == 42):
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
                while t[buf[i]] & _PARAM:
                    i += 1
                j = i - s
                if j == 0 and i < e:
                    bad |= bit
                    break
                # which one it is, by its length; q ends behind it, where it has a blank
                c = 0
                if h != 1:
                    if j == 3:
                        c = _PARAMS_AT
                elif j == 6:
                    c = _PARAMS_AT + 4
                elif j == 5:
                    c = _PARAMS_AT + 11
                elif j == 8:
                    c = _PARAMS_AT + 17
                if c:
                    q = ptr8(int(text) + c - s)
                    c = s + j
                    while s < c and (buf[s] | 32) == q[s]:
                        s += 1
                    c = 0 if s < c else j
                while i < e and buf[i] <= 32:
                    i += 1
                s = i
                if i < e and buf[i] == 61:
                    i += 1
                    while i < e and buf[i] <= 32:
                        i += 1
                    s = i
                    if i < e and buf[i] == 34:
                        i += 1
                        while i < e:
                            j = buf[i]
                            if j == 34:
                                break
                            if j == 92:
                                i += 1
                            i += 1
                        i += 1
                        if i > e:
                            bad |= bit
                            break
                    else:
                        while t[buf[i]] & _VALUE:
                            i += 1
                if c == 5:
                    # rport, with a number or without
                    p[7] = 1
                    c = 0
                    while s < i:
                        if buf[s] < 48 or buf[s] > 57 or c > 6553:
                            bad |= bit
                            break
                        c = c * 10 + buf[s] - 48
                        s += 1
                    if c > 65535:
                        bad |= bit
                    p[8] = c
                elif c:
                    # branch, received, tag
                    c = 3 if c == 6 else 5 if c == 8 else b + 4
                    if p[c] == 0:
                        p[c] = s
                        p[c + 1] = i
            if h != 1:
                p[b + 7] = i
            else:
                if i < e:
                    p[11] = i + 1
                w[k - 3] = p[11]
        elif h == 4:
            p[36] = i
            p[37] = e
            while t[buf[i]] & _ANY:
                i += 1
            if i != e or i == w[k - 2]:
                bad |= bit
        else:
            s = i
            c = 0
            # a number: 31 bits here, since it must also fit where ints are 32 bits wide
            while True:
                j = buf[i] - 48
                if j < 0 or j > 9:
                    break
                if c > 214748363 and (c > 214748364 or j > 7):
                    bad |= bit
                    c = 0
                c = c * 10 + j
                i += 1
            if i == s:
                bad |= bit
            if h == 5:
                p[38] = c >> 16
                p[39] = c & 65535
                s = i
                while i < e and buf[i] <= 32:
                    i += 1
                if s == i or i == e:
                    bad |= bit
                p[40] = i
                p[41] = e
                p[44] = 0
                c = x[_METHOD_SLOTS + ((buf[i] * 3 + e - i) & 31)]
                if c:
                    q = ptr8(int(text) + _METHODS_AT + x[_METHOD_STARTS + c] - i)
                    while i < e and buf[i] == q[i]:
                        i += 1
                    if i == e and q[i] == 32:
                        p[44] = c
                while t[buf[i]] & _ANY:
                    i += 1
                if i != e:
                    bad |= bit
            else:
                if i != e:
                    bad |= bit
                if c > 65534:
                    c = 65534
                if h == 7:
                    p[42] = c
                    if c > 255:
                        bad |= bit
                else:
                    p[43] = c
    # what is missing or malformed must not keep an earlier message's parts
    seen = 62 & (seen ^ -1)
    c = bad | seen
    if c and whole:
        q = ptr8(int(text) + _OWNERS_AT)
        i = 0
        while i < _LENGTH:
            if c & (1 << q[i] - 65):
                p[i] = 65535 if i == 42 or i == 43 else 0
            i += 1
    return bad | seen << 9


@micropython.viper
def decode_at(data, i: int, e: int, h: int) -> int:
    """As decode(), into PARTS, of the value of a field h at data[i:e] alone; a byte up to 32 or a comma is at e."""
    w = ptr16(_one)
    c = ptr8(data)
    while i < e and c[i] <= 32:
        i += 1
    w[0] = h
    w[2] = i
    w[3] = e
    return int(decode(data, 0, 4, _one, PARTS))


# The objects that a message's values are. Made here, since bytecode would spend as much on a few slices as the kernels do on
# the whole message, and bytes_at() because it needs no slice object.


# `transport` is upper case, `host` without brackets, `port` 0 when absent; `branch` and `received` None when absent;
# `rport` None when absent, 0 when asked for, else its value (RFC 3581). Others: address.param(the raw value, name).
Via = namedtuple("Via", ("transport", "host", "port", "branch", "received", "rport"))

# what decode() has numbers for, and a None that viper takes for an object
_TRANSPORTS = (b"", b"UDP", b"TCP", b"TLS", None)


@micropython.viper
def make_via(data):
    """The Via that decode() found in data and put into PARTS."""
    buf = ptr8(data)
    p = ptr16(PARTS)
    b = int(buf)
    cut = bytes_at
    received = branch = _TRANSPORTS[4]
    transport = _TRANSPORTS[p[10] & 3]
    if p[9]:
        transport = cut(b + p[9], p[10] - p[9]).upper()
    host = cut(b + p[0], p[1] - p[0])
    if p[3]:
        branch = cut(b + p[3], p[4] - p[3])
    i = p[5]
    if i:
        # as a rule the host again, and so need not be made twice
        e = p[6]
        j = p[0] - i
        received = host
        if p[1] - p[0] != e - i:
            j = 0
        while i < e and j and buf[i] == buf[i + j]:
            i += 1
        if i < e:
            received = cut(b + p[5], e - p[5])
    if p[7]:
        return Via(transport, host, p[2], branch, received, p[8])
    return Via(transport, host, p[2], branch, received, None)


@micropython.viper
def each(data, w: ptr16, h: int, out) -> int:
    """Appends to the list `out` what the values of the fields with id h of the index w are, their lines split at commas:
    of H_VIA each a Via, the topmost left out, of other fields, which list addresses, each a URI. Returns 0 when one is
    malformed."""
    buf = ptr8(data)
    p = ptr16(PARTS)
    k = 8
    n = (w[3] << 2) + 8
    first = h
    while k < n:
        if (w[k] & 255) == h:
            i = w[k + 2]
            e = w[k + 3]
            if first == 1:
                # decode() left there where its line goes on
                i = w[k + 1]
            first = 0
            while i:
                # Contact: the one of which there may be several on a line
                if int(decode_at(data, i, e, 1 if h == 1 else 6)) & 67:
                    return 0
                if h == 1:
                    out.append(make_via(data))
                    i = p[11]
                else:
                    out.append(bytes_at(int(buf) + p[30], p[31] - p[30]))
                    i = p[35] + 1
                    if i > e:
                        i = 0
        k += 4
    return 1


@micropython.viper
def fill(msg, data, w: ptr16, n: int) -> int:
    """Sets the attributes of a message.Message from what scan() found in its n bytes, and decode(), which put it into PARTS;
    what is absent is left to Message's own attributes. Returns 1 when the display name of From has escapes or folds, 2
    To's, 3 both."""
    p = ptr16(PARTS)
    buf = ptr8(data)
    b = int(buf)
    cut = bytes_at
    msg.via = make_via(data)
    method = METHODS[p[44]]
    if p[44] == 0:
        method = cut(b + p[40], p[41] - p[40])
    msg.cseq_method = method
    msg.cseq = p[38] << 16 | p[39]
    i = w[0]
    e = w[4]
    if w[6]:
        msg.status = w[6]
        msg.is_request = False
    else:
        # a request's method is CSeq's, as a rule
        k = p[40] - i
        if e - i == p[41] - p[40]:
            while i < e and buf[i] == buf[i + k]:
                i += 1
        if i < e:
            method = cut(b + w[0], e - w[0])
        msg.method = method
        e += 1
        if e < w[5]:
            msg.uri = cut(b + e, w[5] - e)
    if p[12] != p[13]:
        msg.from_display = cut(b + p[12], p[13] - p[12])
    msg.from_uri = cut(b + p[14], p[15] - p[14])
    if p[16]:
        msg.from_tag = cut(b + p[16], p[17] - p[16])
    if p[20] != p[21]:
        msg.to_display = cut(b + p[20], p[21] - p[20])
    msg.to_uri = cut(b + p[22], p[23] - p[22])
    if p[24]:
        msg.to_tag = cut(b + p[24], p[25] - p[24])
    if p[30]:
        msg.contact_uri = cut(b + p[30], p[31] - p[30])
    msg.call_id = cut(b + p[36], p[37] - p[36])
    i = w[2]
    k = n - i
    if p[43] != 65535:
        msg.content_length = p[43]
        if p[43] < k:
            k = p[43]
    if k:
        msg.body = cut(b + i, k)
    return p[18] | p[26] << 1
