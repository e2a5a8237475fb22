"""Private names made short and shared, as the firmware is built.

MicroPython keeps every name that any file has ever used in one table, never frees one, and doubles the table when it is
full: on a 96 KiB heap the doubling after 1,260 names would be the end. So a name that begins with _ and is used in one file
alone is replaced by one of a small set (_a, _b, ...) that all files share, and so is a parameter's name that is nothing
else anywhere. What is public, what other files, tests or tools name, and what is in a string keeps its name; so do
parameters with a default, which people give by name, and those of the files in _SPOKEN. Lines stay where they are; a
traceback names file and line as ever.
"""

import ast
import io
import re
import string
import symtable
import tokenize

_KEYWORD = re.compile(r"\b(\w+)=(?!=)")
_WORD = re.compile(r"\b_[A-Za-z0-9]\w*\b")
_SPOKEN = ("agent.py", "call.py", "intercom.py")  # what a person or another program calls
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_SHORT = ["_" + c for c in string.ascii_lowercase] + ["_" + c + d for c in string.ascii_lowercase for d in string.ascii_lowercase]


def words(text):
    """The private names in any text."""
    return set(_WORD.findall(text))


def plan(sources, elsewhere=frozenset(), keywords=frozenset()):
    """{path: text}, the private names that others use, and the names by which others give arguments -> {path: {name: short}}."""
    seen = {path: words(text) for path, text in sources.items()}
    users = {}
    for names in seen.values():
        for name in names:
            users[name] = users.get(name, 0) + 1
    trees = {path: ast.parse(text) for path, text in sources.items()}
    parameters, other = {}, set(keywords)
    for path, tree in trees.items():
        found, others = _parameters(tree, sources[path])
        parameters[path] = set() if str(path).endswith(_SPOKEN) else found
        other |= others | (found if str(path).endswith(_SPOKEN) else set())
    return {path: _plan_one(trees[path], {name for name in seen[path] if users[name] == 1} - elsewhere,
                            parameters[path] - other, text) for path, text in sources.items()}


def keywords(text):
    """The names by which a program gives arguments, and some more."""
    return set(_KEYWORD.findall(text))


def _parameters(tree, text):
    """(names of parameters without a default, every name that is something else than a local) of a file."""
    found, other = set(), {"self"}
    for node in ast.walk(tree):
        if isinstance(node, ast.arguments):
            plain = [one.arg for one in node.posonlyargs + node.args]
            kept = len(plain) - len(node.defaults)
            found.update(plain[:kept])
            other.update(plain[kept:] + [one.arg for one in node.kwonlyargs + [x for x in (node.vararg, node.kwarg) if x]])
        elif isinstance(node, ast.Attribute):
            other.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            other.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            other.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for one in node.names:
                other.update((one.asname or one.name, *one.name.split(".")))
            other.update((getattr(node, "module", None) or "").split("."))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            other.add(node.value)
    tables = [symtable.symtable(text, "<source>", "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        other.update(one.get_name() for one in table.get_symbols() if table.get_type() != "function" or one.is_global())
    return found, other


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


def _plan_one(tree, names, parameters, text):
    taken = set(re.findall(r"\w+", text))
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
    names = {name for name in names if len(name) > 2} | parameters
    free = (name for name in _SHORT if name not in taken)
    # By name, so that a line that moves does not rename what follows it.
    return dict(zip(sorted(names), free))


def _is_known(base, local):
    """A base class of this file, or one of Python's own, which has no private names."""
    if isinstance(base, ast.Attribute):
        return base.attr == "IOBase"
    return isinstance(base, ast.Name) and (base.id in local or base.id in ("object", "Exception") or base.id.endswith("Error"))
