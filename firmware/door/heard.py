"""What door.audio_test() found, in words. Loaded for the moment by lend()."""


def words(door, noise_db, heard_db, peak, played_db, delay_ms, spread):
    """What was found, and what to do about it; levels in dB of full scale."""
    microphone, speaker = door._wiring.MICROPHONE, door._wiring.SPEAKER
    gain_db = door.config.get("audio.gain_db")
    if spread <= 2:
        yield (
            "Microphone: silent, not even noise. Look at its 3.3 V and ground, at SD on pin %d, and that L/R is at ground "
            "(left)." % microphone["sd"]
        )
        yield "Speaker: a tone of %d dB was played; whether you heard it, only you know." % played_db
        return
    yield "Microphone: %d dB while all was quiet, %d dB with the tone, peaks at %d %%." % (noise_db, heard_db, peak * 100 // 32767)
    if peak >= 32700:
        yield 'It clips: door.set("audio.gain_db", %d), or less volume.' % max(gain_db - 12, -60)
    elif noise_db > -35:
        yield "That is much noise: look at its wires and its supply, or turn audio.gain_db (%d) down." % gain_db
    yield "Speaker: the tone was played at %d dB, audio.volume_db %d." % (played_db, door.config.get("audio.volume_db"))
    if heard_db < noise_db + 6 and delay_ms < 0:
        yield (
            "The microphone does not hear the speaker. If you did not hear it either: look at the amplifier's supply and its "
            "SD (enable) pin, at DIN on pin %d, and at audio.volume_db. If you did: audio.gain_db (%d) may go up."
            % (speaker["sd"], gain_db)
        )
        return
    loss_db = played_db - heard_db
    yield "Round trip: %s." % (
        "%d ms from giving a sound to the speaker until the microphone hands it over" % delay_ms if delay_ms >= 0
        else "not found, the sweep is lost in the room's noise or echo"
    )
    yield "Echo return loss: %d dB." % loss_db
    kind = door.config.get("audio.echo")
    if loss_db < 0:
        yield "The echo is louder than the sound itself: turn audio.volume_db or audio.gain_db down."
    elif kind == "off":
        yield 'Who calls hears himself, as audio.echo is off: door.set("audio.echo", "gate").'
    else:
        yield "That is well for audio.echo = %s." % kind
