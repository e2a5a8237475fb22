"""What the prompt knows of Python: when a line is complete, how one with `await` is compiled.

Loaded for the moment by lend(): a door at which nobody types does not keep it."""

_BLOCKS = ("if", "for", "while", "try", "with", "def", "class", "async", "@")


def is_complete(text):
    """False while a bracket, a triple quote or a block is open, as at any Python prompt: a block ends with an empty
    line."""
    depth = i = 0
    quote = ""
    n = len(text)
    while i < n:
        c = text[i]
        if quote:
            if c == "\\":
                i += 1
            elif c == "\n" and len(quote) == 1:
                quote = ""  # an error, for the compiler to report
            elif text.startswith(quote, i):
                i += len(quote) - 1
                quote = ""
        elif c in "'\"":
            quote = c * 3 if text.startswith(c * 3, i) else c
            i += len(quote) - 1
        elif c == "#":
            i = text.find("\n", i)
            if i < 0:
                break
            continue
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        i += 1
    if depth > 0 or len(quote) == 3 or text.endswith("\\"):
        return False
    word = text.lstrip()
    end = 0
    while end < len(word) and "a" <= word[end] <= "z":
        end += 1
    if word[:end] in _BLOCKS or word[:1] == "@":
        return text.endswith("\n") or text.rstrip(" ").endswith("\n")
    return True


def compiled(source, namespace):
    """-> (function of no arguments, whether its result is to be awaited) for a line or block. SyntaxError."""
    waits = "await " in source or "async with" in source or "async for" in source
    if waits:
        try:
            exec("async def _line():\n return (%s\n)" % source, namespace)
            return namespace.pop("_line"), True
        except SyntaxError:
            pass
    else:
        try:
            return eval("lambda:(%s\n)" % source, namespace), False
        except SyntaxError:
            pass
    if waits and not source.startswith(("async def", "def", "class", "@")):
        names = assigned(source)
        head = "async def _line():\n"
        if names:
            head += " global %s\n" % ",".join(names)
        try:
            exec(head + " " + source.replace("\n", "\n "), namespace)
            return namespace.pop("_line"), True
        except SyntaxError:
            pass
    return (lambda: exec(source, namespace)), False


def assigned(source):
    """The names that a line with await in it sets: they shall live on in the prompt's namespace."""
    found = []
    for line in source.split("\n"):
        line = line.strip()
        if line.startswith("for ") or line.startswith("async for "):
            targets = line[line.find("for ") + 4 : line.find(" in ")]
        elif " as " in line and line.endswith(":"):
            targets = line[line.rfind(" as ") + 4 : -1]
        else:
            targets, equals, rest = line.partition("=")
            if not equals or rest[:1] == "=":
                continue
            targets = targets.rstrip("+-*/%&|^ ")
        for name in targets.split(","):
            name = name.strip(" ()")
            if name and name not in found and all(c == "_" or c.isalpha() or c.isdigit() for c in name):
                found.append(name)
    return found
