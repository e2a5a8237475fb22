"""What CPython lacks of MicroPython's `cryptolib`: AES-128 in ECB mode, encrypting (FIPS 197), slowly."""


def _box():
    # inverses in GF(2^8) by powers of 3, then the affine map
    power, log, x = [0] * 256, [0] * 256, 1
    for k in range(255):
        power[k], log[x] = x, k
        x ^= x << 1 ^ (0x11B if x & 0x80 else 0)
    box = []
    for x in range(256):
        y = power[-log[x] % 255] if x else 0
        y ^= y << 1 ^ y << 2 ^ y << 3 ^ y << 4
        box.append((y ^ y >> 8) & 0xFF ^ 0x63)
    return bytes(box)


_BOX = _box()
_TWICE = bytes((x << 1 ^ (0x1B if x & 0x80 else 0)) & 0xFF for x in range(256))
_ROWS = [0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11]  # ShiftRows


class aes:
    def __init__(self, key, mode, IV=None):
        if len(key) != 16 or mode != 1:
            raise ValueError("only AES-128 in ECB mode is here")
        words = [bytes(key[k : k + 4]) for k in range(0, 16, 4)]
        constant = 1
        for k in range(4, 44):
            word = words[-1]
            if k % 4 == 0:
                word = bytes(_BOX[x] for x in word[1:] + word[:1])
                word = bytes([word[0] ^ constant]) + word[1:]
                constant = _TWICE[constant]
            words.append(bytes(a ^ b for a, b in zip(word, words[-4])))
        self._keys = [b"".join(words[k : k + 4]) for k in range(0, 44, 4)]

    def _block(self, block):
        state = [a ^ b for a, b in zip(block, self._keys[0])]
        for number in range(1, 11):
            state = [_BOX[state[k]] for k in _ROWS]
            if number < 10:
                mixed = []
                for k in range(0, 16, 4):
                    a, b, c, d = state[k : k + 4]
                    every = a ^ b ^ c ^ d
                    mixed += [a ^ every ^ _TWICE[a ^ b], b ^ every ^ _TWICE[b ^ c], c ^ every ^ _TWICE[c ^ d], d ^ every ^ _TWICE[d ^ a]]
                state = mixed
            state = [a ^ b for a, b in zip(state, self._keys[number])]
        return bytes(state)

    def encrypt(self, data, out=None):
        if len(data) % 16:
            raise ValueError("blksize % 16")
        made = b"".join([self._block(data[k : k + 16]) for k in range(0, len(data), 16)])
        if out is None:
            return made
        out[: len(made)] = made
        return out
