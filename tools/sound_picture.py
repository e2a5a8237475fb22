"""The scores of the sound bench as a picture: bars per condition for each receiver, as SVG by hand."""

_ROWS = (("", "the door", "#1b6ca8"), ("_baresip", "baresip", "#d98324"), ("_repeat", "offline: last frame halved", "#b9c2c9"),
         ("_zeros", "offline: silence", "#dfe4e8"))
_WIDTH, _HEIGHT = 1100, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 20, 60, 50
_LOW, _HIGH = 1.0, 4.5


def _y(score):
    return _TOP + (_HIGH - score) * (_HEIGHT - _TOP - _BOTTOM) / (_HIGH - _LOW)


def _text(x, y, words, anchor="middle", size=13, fill="#222"):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" fill="%s">%s</text>' % (x, y, anchor, size, fill, words)


def svg(figures, conditions):
    """-> the picture of the figures pesq_<condition>..., as text."""
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif">' % (_WIDTH, _HEIGHT),
             '<rect width="%d" height="%d" fill="white"/>' % (_WIDTH, _HEIGHT),
             _text(_LEFT, 24, "PESQ narrowband of what arrives, by the network it came through", "start", 16)]
    for k, (_, words, fill) in enumerate(_ROWS):
        x = _LEFT + 200 * k
        parts += ['<rect x="%d" y="36" width="12" height="12" fill="%s"/>' % (x, fill), _text(x + 18, 47, words, "start")]
    for score in (1, 2, 3, 4):
        parts += ['<path d="M%d %.1fH%d" stroke="#ddd"/>' % (_LEFT, _y(score), _WIDTH - _RIGHT), _text(_LEFT - 10, _y(score) + 4, score, "end")]
    wide = (_WIDTH - _LEFT - _RIGHT) / len(conditions)
    bar = wide * 0.8 / len(_ROWS)
    for n, name in enumerate(conditions):
        x = _LEFT + (n + 0.1) * wide
        parts.append(_text(x + wide * 0.4, _HEIGHT - 22, name))
        for k, (suffix, _, fill) in enumerate(_ROWS):
            score = figures.get("pesq_%s%s" % (name, suffix))
            if score is None:
                continue
            y = _y(score)
            parts.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"><title>%s%s %.2f</title></rect>' % (
                x + k * bar, y, bar - 1, _y(_LOW) - y, fill, name, suffix, score))
            if not suffix:
                parts.append(_text(x + bar / 2, y - 4, "%.2f" % score, size=10))
    return "\n".join(parts + ["</svg>"]) + "\n"
