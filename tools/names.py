"""Private names made short and shared, as the firmware is built.

MicroPython keeps every name that any file has ever used in one table, never frees one, and doubles the table when it is
full: on a 96 KiB heap the doubling after 1,260 names would be the end. So a name that begins with _ and is used in one file
alone is replaced by one of a small set (_a, _b, ...) that all files share, and so is a parameter's name that is nothing
else anywhere. What is public, what other files, tests or tools name, and what is in a string keeps its name; so do
parameters with a default, which people give by name, and those of the files in _SPOKEN. A private name that several files
use (what a file that is lent does with its owner's state) is short too, the same in all of them and nothing else in their
folders: it is a rule of this project that what is private is set by its own folder alone. So is a public one of the folders in
_CLOSED that no other folder, test or tool has: those are no library, and nobody writes such a name at the prompt. Lines stay
where they are; a traceback names file and line as ever.
"""

import ast
import asyncio
import builtins
import hashlib
import importlib
import io
import os
import re
import select
import socket
import string
import symtable
import sys
import tokenize

_KEYWORD = re.compile(r"\b(\w+)=(?!=)")
_WORD = re.compile(r"\b_[A-Za-z0-9]\w*\b")
_SPOKEN = ("agent.py", "call.py", "intercom.py")  # what a person or another program calls
_UNTOUCHED = ("main.py", "board.py")  # which go to a board as they are
_ROOMS = ("board", "door", "media", "sip", "lend")
_HELPERS = ("house_out", "house_play", "house_sip", "virtual_call", "virtual_sip", "expect")  # of tests: they import it for others
_INTERNED = 10  # bytes: shorter texts are names to MicroPython
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_CLOSED = ("sip/server", "door")  # folders whose public names only they use
# What Python's own objects have is theirs; of MicroPython's further modules the names are those that all folders use.
_PYTHONS = ("array", "asyncio", "binascii", "errno", "gc", "hashlib", "io", "json", "math", "os", "random", "re", "select", "socket",
            "ssl", "struct", "sys", "time")
_SHORT = ["_" + c for c in string.ascii_lowercase] + ["_" + c + d for c in string.ascii_lowercase for d in string.ascii_lowercase]


def words(text):
    """The private names in any text."""
    return set(_WORD.findall(text))


def asked_for(text):
    """The private names in a test or a tool that may be the firmware's: -> (those it asks for, those that its own objects have,
    which the firmware may ask for)."""
    tree = ast.parse(text)
    asked, own = set(), set()
    firmware = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in _ROOMS:
            firmware |= {one.asname or one.name for one in node.names}
        elif isinstance(node, ast.Import):
            firmware |= {(one.asname or one.name).split(".")[0] for one in node.names if one.name.split(".")[0] in _ROOMS}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            mine = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            (own if mine else asked).update(words(node.attr))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            own |= words(node.name)
        elif isinstance(node, ast.Name):
            own |= words(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            asked |= words(" ".join([getattr(node, "module", None) or ""] + [one.name for one in node.names]))
        elif isinstance(node, ast.keyword):
            asked |= words(node.arg or "")
        elif isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
            asked |= words(node.value if isinstance(node.value, str) else node.value.decode("latin-1"))
        elif isinstance(node, ast.ClassDef) and any(firmware & set(re.findall(r"\w+", ast.unparse(base))) for base in node.bases):
            asked |= words(ast.unparse(node))
    return asked, own


def spoken(text):
    """The names by which a test or a tool may mean something of the firmware's, public or not."""
    found = set()
    tree = ast.parse(text)
    documents = _docstrings(tree)
    meets = False  # whether it has the firmware's objects in hand, and not only a prompt
    own = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            own.add(node.attr)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            own.add(node.name)
        elif isinstance(node, ast.keyword):
            own.add(node.arg)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [getattr(node, "module", None) or ""] + [one.name for one in node.names]
            meets = meets or any(one.split(".")[0] in _ROOMS + _HELPERS for one in modules)
            found.update(re.findall(r"\w+", " ".join(modules)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and node not in documents:
            found |= _called(node.value if isinstance(node.value, str) else node.value.decode("latin-1"))
    return found | own if meets else found


def _called(text):
    """The words in a string that may be names of a program's: alone, behind a dot, before a bracket or =, or in a list of words."""
    if re.fullmatch(r"[\w:. ]*", text):
        return set(re.findall(r"\w+", text)) if text.islower() else {text}
    return set(re.findall(r"(?<=\.)\w+", text)) | set(re.findall(r"\w+(?=\s*[(=:])", text))


def _public(sources, trees, elsewhere):
    """-> {path: the public names in it that the closed folders alone have}."""
    closed = {path: os.path.dirname(path).endswith(_CLOSED) for path in sources}
    pythons = set(dir(builtins)) | set(sys.stdlib_module_names)
    for kind in (object, str, bytes, bytearray, list, dict, set, tuple, int, float, type(lambda: 0), type, memoryview, Exception, OSError):
        pythons.update(dir(kind))
    for module in _PYTHONS:
        pythons.update(dir(importlib.import_module(module)))
    for kind in (socket.socket, io.StringIO, io.BytesIO, asyncio.Task, asyncio.Event, hashlib.md5, select.poll):
        pythons.update(dir(kind))
    users, made, kept = {}, set(), set(elsewhere) | pythons
    kept.update(os.path.basename(path).removesuffix(".py") for path in sources)
    for path, tree in trees.items():
        documents = _docstrings(tree)
        for node in ast.walk(tree):
            name = getattr(node, "attr", None) or getattr(node, "id", None) or getattr(node, "arg", None) or getattr(node, "name", None)
            if isinstance(name, str):
                users.setdefault(name, set()).add(closed[path])
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                made.add(name)
                if isinstance(node, ast.ClassDef):
                    made.update(getattr(target, "id", "") for line in node.body if isinstance(line, ast.Assign) for target in line.targets)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self":
                made.add(name)
            elif isinstance(node, ast.keyword):
                kept.add(node.arg)
            elif isinstance(node, ast.arguments):
                # Who gives it by name is seen, but not by what string.
                kept.update(one.arg for one in node.kwonlyargs)
            elif isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and node not in documents:
                kept |= _called(node.value if isinstance(node.value, str) else node.value.decode("latin-1"))
        if str(path).endswith(_SPOKEN):
            kept.update(node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)))
    ours = {name for name in made if len(name) > 2 and name[:1] != "_" and name not in kept and users[name] == {True}}
    return {path: ours & set(re.findall(r"\w+", text)) if closed[path] else set() for path, text in sources.items()}


def plan(sources, elsewhere=frozenset(), keywords=frozenset(), fakes=frozenset(), named=frozenset()):
    """{path: text}, the private names that others use, the names by which others give arguments, the private names of others'
    objects, and all names by which others may mean something of ours -> {path: {name: short}}."""
    seen = {path: words(text) for path, text in sources.items()}
    trees = {path: ast.parse(text) for path, text in sources.items()}
    public = _public(sources, trees, named | keywords)
    parameters, other = {}, set(keywords)
    for path, tree in trees.items():
        found, others = _parameters(tree, sources[path])
        parameters[path] = set() if str(path).endswith(_SPOKEN) else found
        other |= others | (found if str(path).endswith(_SPOKEN) else set())
    elsewhere = set(elsewhere)
    for path in sources:
        if os.path.basename(path) in _UNTOUCHED:
            elsewhere |= seen[path]
    for path in sources:
        seen[path] = seen[path] | public[path]
    shared = _plan_shared(sources, trees, seen, elsewhere | fakes)
    users = {}
    for names in seen.values():
        for name in names:
            users[name] = users.get(name, 0) + 1
    short = {}
    for path, text in sources.items():
        folder = os.path.dirname(path)
        used = {one for name, (one, folders) in shared.items() if folder in folders}
        both = {name: one for name, (one, folders) in shared.items() if name in seen[path]}
        one = _plan_one(trees[path], {name for name in seen[path] if users[name] == 1} - elsewhere, parameters[path] - other, text, used)
        short[path] = dict(both, **one)
    return short


def _plan_shared(sources, trees, seen, kept):
    """-> {private name of several files: (short, the folders in which nothing else is called so)}."""
    users, made, kept = {}, set(), set(kept)
    for path in sources:
        named, stored, inside = _named(trees[path])
        made |= stored  # what none of our files makes is Python's own
        kept |= inside
        for name in seen[path] & named:
            users.setdefault(name, []).append(path)
    taken = {}
    for path, text in sources.items():
        taken.setdefault(os.path.dirname(path), set()).update(re.findall(r"\w+", text))
    shared = {}
    for name in sorted(users):
        if sum(name in seen[path] for path in sources) > 1 and len(name) > 3 and not name.startswith("__") and name in made - kept:
            folders = {os.path.dirname(path) for path in sources if name in seen[path]}  # also where it is only a constant
            short = next(one for one in _SHORT if not any(one in taken[folder] for folder in folders))
            shared[name] = short, folders
            for folder in folders:
                taken[folder].add(short)
    return shared


def _named(tree):
    """(the names that a file's code has in the table, those that it gives to something, the private ones that stand in an import
    or in a string of it)."""
    named, made, inside, free = set(), set(), set(), set()
    documents = _docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Attribute, ast.Name)):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            named.add(name)
            if isinstance(node.ctx, ast.Store):
                made.add(name)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            named.add(node.name)
            made.add(node.name)
        elif isinstance(node, ast.arg):
            named.add(node.arg)
        elif isinstance(node, ast.keyword):
            inside |= words(node.arg or "")
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            inside |= words(" ".join([getattr(node, "module", None) or ""] + [one.name for one in node.names]))
        elif isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and node not in documents:
            inside |= words(node.value if isinstance(node.value, str) else node.value.decode("latin-1"))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "const":
            free |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return named - free, made, inside


def _docstrings(tree):
    return {node.body[0].value for node in ast.walk(tree)
            if isinstance(node, _DOCUMENTED) and node.body and isinstance(node.body[0], ast.Expr)}


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
    """The source with these names replaced, line for line. What becomes a number is not imported."""
    if not short:
        return text
    lines = text.splitlines(True)
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and [one for one in node.names if short.get(one.name, "").isdigit()]:
            kept = [ast.unparse(one) for one in node.names if not short.get(one.name, "").isdigit()]
            whole = "from %s%s import %s\n" % ("." * node.level, node.module or "", ", ".join(kept))
            lines[node.lineno - 1 : node.end_lineno] = [whole if kept else "\n"] + ["\n"] * (node.end_lineno - node.lineno)
    text = "".join(lines)
    before = ""
    tokens = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and token.string in short and (before != "." or not short[token.string].isdigit()):
            tokens.append(token)
        before = token.string
    for token in reversed(tokens):
        row, start = token.start[0] - 1, token.start[1]
        lines[row] = lines[row][:start] + short[token.string] + lines[row][token.end[1]:]
    return "".join(lines)


def absolute(text, package):
    """The source with its relative imports made absolute, line for line: what lend() loads has no place in a package any more.
    `package`: the folders that the file is in, a tuple."""
    lines = text.splitlines(True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join(package[: len(package) - node.level + 1] + ((node.module,) if node.module else ()))
            row = node.lineno - 1
            lines[row] = re.sub(r"\bfrom +\.+[\w.]* +import\b", "from %s import" % base, lines[row], count=1)
    return "".join(lines)


def numbers(sources, named):
    """{path: text}, and the names by which tests and tools may mean something of ours -> {path: {name: what stands for it}}. Where a
    file imports a constant of another it has the number instead, and one that nobody else names is private: as a name of a module,
    and of each that imports it, it would cost the heap for as long as they are there."""
    trees = {path: ast.parse(text) for path, text in sources.items()}
    values, dotted, short = {}, set(named), {path: {} for path in sources}
    for path, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "const":
                name, value = getattr(node.targets[0], "id", "_"), node.value.args[0]
                if name[0] != "_" and isinstance(value, ast.Constant) and isinstance(value.value, int):
                    values.setdefault(path.removesuffix(".py"), {})[name] = str(value.value)
        dotted.update(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    for path, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.level:
                there = os.path.join(os.path.normpath(os.path.join(path, *[".."] * node.level)), (node.module or "").replace(".", "/"))
                known = values.get(there, {})
                short[path].update((one.name, known[one.name]) for one in node.names if one.name in known and not one.asname)
    for path, own in values.items():
        short[path + ".py"].update((name, "_" + name) for name in own if name not in dotted)
    return short


def bare(text):
    """The source without its imports of `micropython` and `const`, line for line, where only decorators and `NAME = const(...)`
    use them: both are the compiler's, and in every file they would be names of a module for as long as the door runs."""
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    decorators = {d.value for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
                  for d in node.decorator_list if isinstance(d, ast.Attribute)}
    constants = {node.value.func for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)}
    used = {node.id for node in nodes if isinstance(node, ast.Name) and node not in decorators | constants}
    lines = text.splitlines(True)
    for node in tree.body:
        whole = lines[node.lineno - 1].strip()  # a line of its own, that is
        if whole == "import micropython" and "micropython" not in used or whole == "from micropython import const" and "const" not in used:
            lines[node.lineno - 1] = "\n"
    return "".join(lines)


def _plan_one(tree, names, parameters, text, taken=frozenset()):
    taken = taken | set(re.findall(r"\w+", text))
    attributes, stored, defined = set(), set(), set()
    foreign = False  # a class whose base is in another file: the two would share objects, not names
    nodes = list(ast.walk(tree))
    local = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    docstrings = _docstrings(tree)
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


def loose(text, modules):
    """The source with its short texts made of bytes, line for line: `"%d h"` is kept as a name is, for ever, and b"%d h".decode() is
    not. Not those that are names anyhow: identifiers, and what is in `modules`."""
    lines = text.splitlines(True)
    tokens = [one for one in tokenize.generate_tokens(io.StringIO(text).readline) if one.type not in (tokenize.COMMENT, tokenize.NL)]
    for k in range(len(tokens) - 2, 0, -1):
        before, token, after = tokens[k - 1 : k + 2]
        if token.type != tokenize.STRING or token.string[0] not in "'\"" or tokenize.STRING in (before.type, after.type):
            continue
        value = ast.literal_eval(token.string)
        if not 1 < len(value) <= _INTERNED or value.isidentifier() or not value.isascii() or value in modules:
            continue
        if tokens[k - 2].string == "const" or after.type == tokenize.NEWLINE and before.type in (tokenize.NEWLINE, tokenize.INDENT):
            continue
        row, start = token.start[0] - 1, token.start[1]
        lines[row] = "%sb%s.decode()%s" % (lines[row][:start], token.string, lines[row][token.end[1]:])
    return "".join(lines)
