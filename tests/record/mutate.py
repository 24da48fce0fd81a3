"""Seeded mutations of JSON and of bytes."""

import copy
import json
import random

JUNK = [
    *(None, True, -1, 0, 1.5, 10**30, 10**400, float("inf"), float("nan"), "", [], {}, [[]], {"": {}}),
    *("../../x", "..", ".", "/etc/passwd", "C:\\x", "C:x", "\\\\host\\x", "a\0b", "x/../y", "~root", "con", "a\nb"),
    *("\ud800", "\u202e", "٣", "x" * 5000, "0" * 64, "G" * 64, "$(id)", "__import__('os').abort()", "1", "01", "-1"),
    *({"__class__": "os.system", "py/reduce": ["id"]}, {"a": {"b": {"c": {"d": {}}}}}),
]


def mutated(text: str, seed: int) -> bytes:
    """JSON with one to three changes in its tree, or, one time in three, in its bytes."""
    source = random.Random(seed)
    if source.random() < 1 / 3:
        return _bytes(text.encode(), source)
    tree = json.loads(text)
    for _ in range(source.randint(1, 3)):
        tree = _tree(tree, source)
    return json.dumps(tree).encode("utf-8")


def flipped(content: bytes, source: random.Random, count: int) -> bytes:
    """Bytes with some replaced by others."""
    content = bytearray(content)
    for _ in range(count):
        content[source.randrange(len(content))] = source.randrange(256)
    return bytes(content)


def _tree(tree, source):
    places = list(_places(tree))
    if not places:
        return source.choice(JUNK)
    parent, key = source.choice(places)
    action = source.randrange(5)
    if action == 0:
        del parent[key]
    elif action == 1 and isinstance(parent, dict):
        parent[str(source.choice(JUNK))] = parent[key]
    elif action == 2:
        parent[key] = copy.deepcopy(source.choice([parent[key] for parent, key in places]))
    else:
        parent[key] = copy.deepcopy(source.choice(JUNK))
    return tree


def _places(node):
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from _places(node[key])


def _bytes(content, source):
    action, at = source.randrange(6), source.randrange(len(content))
    if action == 0:
        return content[:at]
    if action == 1:
        return content[:at] + b"[" * source.choice([40, 900, 10**5]) + content[at:]
    if action == 2:
        return content[:at] + b"1" * 5000 + content[at:]
    if action == 3:
        return content[:at] + content[at // 2 :]
    if action == 4:
        return content.decode().encode(source.choice(["utf-16", "utf-32", "utf-8-sig"]))
    return flipped(content, source, source.randint(1, 8))
