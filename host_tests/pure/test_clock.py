"""SNTP's bytes (RFC 5905 section 14)."""

from expect import raises

from board import clock

STAMP = b"12345678"


def reply(first=0x24, stratum=2, stamp=STAMP, seconds=0xEE5B0F80):
    return bytes((first, stratum)) + bytes(22) + stamp + bytes(8) + seconds.to_bytes(4, "big") + bytes(4)


def test_the_question_is_a_client_s_and_brings_its_stamp():
    data = clock.question(STAMP)
    assert len(data) == 48 and data[0] == 0b00100011 and data[40:] == STAMP and not any(data[1:40])


def test_the_answer_s_transmit_time_counts():
    assert clock.answer(reply(), STAMP) == 0xEE5B0F80
    assert clock.answer(reply() + bytes(20), STAMP) == 0xEE5B0F80  # with an authenticator behind it
    assert clock.answer(reply(stratum=15), STAMP) == 0xEE5B0F80


def test_the_seconds_go_on_when_their_32_bits_are_full_in_2036():
    assert clock.answer(reply(seconds=0xFFFFFFFF), STAMP) == 0xFFFFFFFF
    assert clock.answer(reply(seconds=1), STAMP) == (1 << 32) + 1
    assert clock.date(clock.answer(reply(seconds=0), STAMP)) == (2036, 2, 7, 3, 6, 28, 16, 0)


def test_what_is_no_answer_is_not_believed():
    for bad in (reply()[:47], b"", reply(stamp=b"87654321"), reply(first=0x23), reply(first=0x25)):
        assert "no answer" in str(raises(ValueError, clock.answer, bad, STAMP))


def test_a_server_that_does_not_know_or_wants_to_be_left_alone_is_passed_over():
    for bad in (reply(first=0xE4), reply(stratum=0), reply(stratum=16), reply(stratum=255)):
        assert "does not know" in str(raises(ValueError, clock.answer, bad, STAMP))


def test_dates():
    assert clock.date(2208988800 + 1795343160) == (2026, 11, 22, 6, 10, 26, 0, 0)
    assert clock.date(2208988800 + 951782400) == (2000, 2, 29, 1, 0, 0, 0, 0)
