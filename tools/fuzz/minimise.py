"""Smaller inputs that do the same."""


def chunks(n):
    """Lengths of what to leave out: halves first, single bytes last."""
    size = max(n // 2, 1)
    while True:
        yield size
        if size == 1:
            return
        size //= 2


def without_parts(data, same, limit, smallest=0):
    """Leave out parts as long as same(data) is true: of bytes, or of a list."""
    for size in chunks(len(data)):
        at = 0
        while at < len(data) and limit.left():
            shorter = data[:at] + data[at + size:]
            if len(shorter) >= smallest and len(shorter) < len(data) and same(shorter):
                data = shorter
            else:
                at += size
    return data


def plain(data, same, limit):
    """Bytes that do not matter become plain."""
    for at in range(len(data)):
        for c in b'a0':
            if not limit.left() or data[at] == c or data[at:at + 1].isalnum():
                break
            simpler = data[:at] + bytes([c]) + data[at + 1:]
            if same(simpler):
                data = simpler
                break
    return data


class Limit:
    """So many tries."""

    def __init__(self, tries):
        self.tries = tries

    def left(self):
        self.tries -= 1
        return self.tries >= 0


def minimise(data, same, tries):
    limit = Limit(tries)
    before = None
    while before != data and limit.tries > 0:
        before = data
        data = without_parts(data, same, limit)
    # What belongs together in a language is of any length.
    for size in range(min(len(data), 24), 1, -1):
        at = 0
        while at + size <= len(data) and limit.left():
            shorter = data[:at] + data[at + size:]
            if same(shorter):
                data = shorter
            else:
                at += 1
    return plain(data, same, limit)
