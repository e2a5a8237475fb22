"""What Tab offers at the prompt. Loaded for the moment by lend()."""

from lend import lend


def complete(text, namespace, keys):
    """What Tab offers for the text before the cursor -> (what is typed of it, candidates).

    Inside door.set(" and door.show(" the keys of the configuration, else names and attributes, found by dir() and
    getattr alone: nothing is called."""
    for opening in ("door.set(", "door.show("):
        at = text.rfind(opening)
        rest = text[at + len(opening) :]
        if at >= 0 and rest[:1] in ("'", '"') and rest.count(rest[0]) == 1:
            return rest[1:], [k for k in keys if k.startswith(rest[1:])]
    start = len(text)
    while start and (text[start - 1].isalpha() or text[start - 1].isdigit() or text[start - 1] in "_."):
        start -= 1
    path = text[start:].split(".")
    typed = path.pop()
    if not path:
        names = list(namespace)
    else:
        if path[0] not in namespace:
            return typed, []
        thing = namespace[path[0]]
        for name in path[1:]:
            thing = getattr(thing, name, None)
        names = dir(thing)
        more = getattr(thing, "names", None)  # the door's commands
        if isinstance(more, str):
            names += [pair.split(":")[0] for pair in more.split(" ")]
    hidden = typed.startswith("_")
    return typed, sorted(n for n in names if n.startswith(typed) and (hidden or n[0] != "_"))


def tab(console):
    """Completes the word before the cursor, or shows what it may become."""
    line = console.line
    before = line.text[: line.at]
    if not before.strip():
        line.insert("    ")
        return
    try:
        typed, names = complete(before, console.names, lend("door.schema").keys())
    except Exception:  # an attribute that objects to being looked at
        return
    if not names:
        return
    common = names[0]
    for name in names[1:]:
        while not name.startswith(common):
            common = common[:-1]
    if len(common) > len(typed):
        line.insert(common[len(typed) :])
    elif len(names) > 1:
        line.hide()
        line.write("  ".join(names[:60]) + "\n")
        line.redraw()
