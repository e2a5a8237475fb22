"""Sound to try a listener with, at 8 kHz as floats in the range of 16 bits: keys as ITU-T Q.23 has them, talk by espeak-ng in
many voices, and music made of notes. The same seed makes the same sound."""

import random
import subprocess
import tempfile
import warnings

import numpy as np
import soundfile
from scipy.signal import resample_poly

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop          # CPython's own until 3.12, then PyPI's audioop-lts

LOW = (697, 770, 852, 941)
HIGH = (1209, 1336, 1477, 1633)
ROWS = ((1, 2, 3, 12), (4, 5, 6, 13), (7, 8, 9, 14), (10, 0, 11, 15))


def amplitude(dbm0):
    """Of a sine with this level: 3.14 dBm0 is the loudest that u-law has (ITU-T G.711)."""
    return 32124 * 10 ** ((dbm0 - 3.14) / 20)


def key(code, ms, dbm0=-10, twist_db=0, deviation=(0, 0), rate_hz=8000, phases=(0, 0)):
    """A key's two tones, of `dbm0` each; `twist_db` the higher one is above the lower one."""
    row = [code in codes for codes in ROWS].index(True)
    t = 2 * np.pi * np.arange(round(ms * rate_hz / 1000)) / rate_hz
    low, high = LOW[row] * (1 + deviation[0]), HIGH[ROWS[row].index(code)] * (1 + deviation[1])
    return (amplitude(dbm0 - twist_db / 2) * np.sin(low * t + phases[0])
            + amplitude(dbm0 + twist_db / 2) * np.sin(high * t + phases[1]))


def g711(samples):
    """One pass through u-law."""
    pcm = np.clip(np.round(samples), -32768, 32767).astype("<i2").tobytes()
    return np.frombuffer(audioop.ulaw2lin(audioop.lin2ulaw(pcm, 2), 2), "<i2").astype(float)


def save(path, samples):
    """As firmware/media/ has sound on its way: 16 bits, offset binary."""
    (np.clip(np.round(samples), -32768, 32767) + 32768).astype("<u2").tofile(path)
    return str(path)


# What a visitor and who lives there may say; numbers, for the frequencies of keys are not far from those of voices.
_TALK = {
    "en-gb": ("Good morning, I have a parcel for the second floor; would you open the gate?", "Who knew you two would choose blue shoes?"),
    "en-us": ("We eat cheese and green beans while the wheels squeal all evening long.", "Nobody told me that the bell was out of order."),
    "de": ("Guten Tag, können Sie bitte die Tür öffnen? Ich habe ein Paket.", "Viele liebe Grüße, wir sehen uns wieder um Viertel nach sieben."),
    "fr-fr": ("Bonjour, pourriez-vous ouvrir la porte, s'il vous plaît?", "Qui dit oui, qui dit non, ici midi sonne et minuit finit."),
    "es": ("Buenos días, traigo un paquete para el tercer piso.", "Mi tía y mi prima vivían aquí mismo, en la villa de arriba."),
    "it": ("Buongiorno, mi apre il cancello per favore?", "I vicini di casa arrivano più tardi."),
    "pl": ("Dzień dobry, czy może pani otworzyć drzwi?", "Wszystkie klucze leżą na stole."),
    "sv": ("God morgon, kan du öppna dörren?", "Vi bor på tredje våningen."),
    "tr": ("Günaydın, kapıyı açar mısınız?", "Üçüncü katta oturuyoruz."),
    "fi": ("Hyvää huomenta, voisitteko avata oven?", "Minulla on paketti kolmanteen kerrokseen."),
    "nl": ("Goedemorgen, wilt u de deur openen?", "Ik heb een pakje voor de derde verdieping."),
    "ru": ("Доброе утро, откройте, пожалуйста, дверь.", "У меня посылка на третий этаж."),
    "cmn": ("你好，三楼有一个包裹，请开门。", "我明天再来。"),
    "hi": ("नमस्ते, कृपया दरवाज़ा खोलिए।", "तीसरी मंज़िल के लिए एक पैकेट है।"),
    "vi": ("Xin chào, xin mở cửa.", "Tôi có một gói hàng cho tầng ba."),
}
_VARIANTS = ("", "+m1", "+m3", "+m5", "+m7", "+f1", "+f2", "+f3", "+f4", "+f5", "+croak", "+whisper")


def talk(minutes, seed):
    """Voices of fifteen languages, high and low, slow and fast, loud and quiet, one after the other."""
    chance = random.Random(seed)
    pieces, n = [], 0
    while n < minutes * 480000:
        language = chance.choice(sorted(_TALK))
        words = list(_TALK[language]) + [str(chance.randrange(10 ** chance.randrange(1, 7))) for _ in range(6)]
        chance.shuffle(words)
        with tempfile.NamedTemporaryFile(suffix=".wav") as f:
            subprocess.run(["espeak-ng", "-v", language + chance.choice(_VARIANTS), "-p", str(chance.randrange(100)),
                            "-s", str(chance.randrange(110, 260)), "-w", f.name, ". ".join(words)],
                           check=True, timeout=60, stderr=subprocess.DEVNULL)
            samples, _ = soundfile.read(f.name)                             # 22,050 Hz
        samples = resample_poly(samples, 160, 441)
        samples *= 32767 * 10 ** (-chance.choice((0, 3, 6, 12, 18, 24)) / 20) / max(np.max(np.abs(samples)), 1e-3)
        pieces.append(samples)
        n += len(samples)
    return np.concatenate(pieces)[:minutes * 480000]


# How fast an instrument's harmonics fall off, by their number to this power
_INSTRUMENTS = {"organ": 0.6, "piano": 1.2, "flute": 2.2, "strings": 0.9, "square": 1, "bell": 1}
_BELL = (1, 2, 2.76, 3, 4.1, 5.4, 6.2, 7.3, 8.2, 9.9)


def _note(hz, seconds, instrument, chance):
    t = np.arange(int(seconds * 8000)) / 8000
    vibrato = 1 + 0.006 * np.sin(2 * np.pi * 5.5 * t + chance.random() * 6) if chance.random() < 0.5 else np.ones(len(t))
    phase = 2 * np.pi * np.cumsum(hz * vibrato) / 8000
    samples = np.zeros(len(t))
    for n in range(1, int(3800 / hz) + 1):
        times = _BELL[min(n, len(_BELL)) - 1] if instrument == "bell" else n
        if times * hz < 3900 and not (instrument == "square" and n % 2 == 0):
            samples += n ** -_INSTRUMENTS[instrument] * np.sin(times * phase + chance.random() * 6)
    shape = np.exp(-3 * t / seconds) if instrument in ("piano", "bell") else np.minimum(1, t / 0.03)
    return samples * shape * np.minimum(1, (seconds - t) / 0.02)


def music(minutes, seed):
    """Pieces of ten seconds for one to four voices, with a drum now and then."""
    chance = random.Random(seed)
    pieces, n = [], 0
    while n < minutes * 480000:
        instrument = chance.choice(sorted(_INSTRUMENTS))
        beat_s = chance.choice((0.08, 0.12, 0.2, 0.3, 0.5))
        voices = chance.randrange(1, 5)
        root = chance.randrange(40, 70)
        piece = []
        for _ in range(int(10 / beat_s)):
            beat = np.zeros(int(beat_s * 8000))
            for _ in range(voices):
                note = root + chance.choice((0, 2, 4, 5, 7, 9, 11)) + 12 * chance.randrange(3)
                beat += _note(440 * 2 ** ((note - 69) / 12) * (1 + chance.uniform(-0.003, 0.003)), beat_s, instrument, chance)
            if chance.random() < 0.2:
                drum = np.random.default_rng(chance.randrange(1 << 30)).normal(0, 1, min(len(beat), 800))
                beat[:len(drum)] += drum * np.exp(-np.arange(len(drum)) / 200)
            piece.append(beat)
        samples = np.concatenate(piece)
        samples *= 32767 * 10 ** (-chance.choice((0, 3, 6, 12, 18)) / 20) / np.max(np.abs(samples))
        pieces.append(samples)
        n += len(samples)
    return np.concatenate(pieces)[:minutes * 480000]
