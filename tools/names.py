"""Private names made short and shared, as the firmware is built.

MicroPython keeps every name that any file has ever used in one table, never frees one, and doubles the table when it is
full: on a 96 KiB heap the doubling after 1,260 names would be the end. So a name that begins with _ and is used in one file
alone is replaced by one of a small set (_a, _b, ...) that all files share. What is public, what other files, tests or
tools name, and what is in a string keeps its name. Lines stay where they are; a traceback names file and line as ever.
"""

import ast
import io
import keyword
import re
import string
import tokenize

_WORD = re.compile(r"\b_[A-Za-z0-9]\w*\b")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_SHORT = ["_" + c for c in string.ascii_lowercase] + ["_" + c + d for c in string.ascii_lowercase for d in string.ascii_lowercase]


def words(text):
    """The private names in any text."""
    return set(_WORD.findall(text))


def plan(sources, elsewhere=frozenset()):
    """{path: text} and the private names that others use -> {path: {name: short name}}."""
    seen = {path: words(text) for path, text in sources.items()}
    users = {}
    for names in seen.values():
        for name in names:
            users[name] = users.get(name, 0) + 1
    return {path: _plan_one(text, {name for name in seen[path] if users[name] == 1} - elsewhere, seen[path])
            for path, text in sources.items()}


def apply(text, short):
    """The source with these names replaced, line for line."""
    if not short:
        return text
    lines = text.splitlines(True)
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(text).readline))):
        if token.type == tokenize.NAME and token.string in short:
            row, start = token.start[0] - 1, token.start[1]
            lines[row] = lines[row][:start] + short[token.string] + lines[row][token.end[1]:]
    return "".join(lines)


def _plan_one(text, names, taken):
    tree = ast.parse(text)
    attributes, stored, defined = set(), set(), set()
    foreign = False  # a class whose base is in another file: the two would share objects, not names
    nodes = list(ast.walk(tree))
    local = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    docstrings = {node.body[0].value for node in nodes
                  if isinstance(node, _DOCUMENTED) and node.body and isinstance(node.body[0], ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Attribute):
            attributes.add(node.attr)
            if not isinstance(node.ctx, ast.Load):
                own = isinstance(node.value, ast.Name) and node.value.id in local | {"self", "cls"}
                (defined if own else stored).add(node.attr)
        elif isinstance(node, ast.ClassDef):
            foreign = foreign or any(not _is_known(base, local) for base in node.bases)
            for line in node.body:
                if isinstance(line, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    defined.add(line.name)
                    attributes.add(line.name)
                elif isinstance(line, ast.Assign):
                    for target in ast.walk(line):
                        if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
                            defined.add(target.id)
                            attributes.add(target.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = names - words(" ".join([getattr(node, "module", None) or ""] + [one.name for one in node.names]))
        elif isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
            value = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            if node not in docstrings:
                names = names - words(value)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "const":
            names = names - {target.id for target in node.targets if isinstance(target, ast.Name)}  # costs nothing as it is
    # An attribute is ours alone if only objects of this file's own classes have it.
    names = {n for n in names if n not in attributes or not foreign and n in defined and n not in stored}
    names = {n for n in names if not n.startswith("__")}
    free = (name for name in _SHORT if name not in taken and not keyword.iskeyword(name))
    # By name, so that a line that moves does not rename what follows it.
    return {name: short for name, short in zip(sorted(n for n in names if len(n) > 2), free) if len(short) < len(name)}


def _is_known(base, local):
    """A base class of this file, or one of Python's own, which has no private names."""
    if isinstance(base, ast.Attribute):
        return base.attr == "IOBase"
    return isinstance(base, ast.Name) and (base.id in local or base.id in ("object", "Exception") or base.id.endswith("Error"))
