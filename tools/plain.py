"""Derive the plain variant of a kernel: the same source without viper.

`@micropython.viper` and `@micropython.native` exist only where MicroPython has
a native emitter. CPython and emitter-less ports get this derivation: decorators
dropped, pointers from boards/PC/pointers.py (every access checked against the
buffer it points into), and arithmetic that wraps at 32 bits, signed for `int`
and unsigned for `uint`, as on the boards. The x64 Unix port's words are 64 bits
wide: a kernel that gives the same answers in both forgot no mask.

Lines stay where they are, comments included, so a traceback fits firmware/ too.
"""

import ast
import copy

POINTERS = ("ptr8", "ptr16", "ptr32")
INT, UINT, BOOL, OBJECT = "int", "uint", "bool", "object"
ADDRESS = "address"     # int(pointer): an int in viper, an object of the shim here
NAMES = POINTERS + (INT, UINT)

# What grows beyond its operands; the other operators keep 32-bit words 32 bits wide.
_GROWING = (ast.Add, ast.Sub, ast.Mult, ast.LShift, ast.FloorDiv)
# Python's integers and words modulo 2**32 agree in these whatever lies above bit 31.
_RING = (ast.Add, ast.Sub, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor)
# The smallest literal that mpy-cross makes an object of (small ints are 31 bits).
_BIG = 1 << 30


class Underivable(Exception):
    """A construct of viper that this tool has no plain form for."""


def is_kernel(source):
    """Whether this source uses an emitter and so needs a plain variant."""
    return any(_emitter(d) for f in _functions(ast.parse(source)) for d in f.decorator_list)


def derive(source, path="<kernel>"):
    """Source in, plain source out, of as many lines. Raises Underivable naming path and line."""
    tree = ast.parse(source, path)
    edits = []
    viper = False
    constants = _constants(tree)
    for function in _functions(tree):
        for decorator in function.decorator_list:
            emitter = _emitter(decorator)
            if emitter:
                # The @ is before the expression, on the same line.
                place = (decorator.lineno, decorator.col_offset - 1,
                         decorator.end_lineno, decorator.end_col_offset)
            if emitter == "native":
                edits.append(place + ("# native",))
            if emitter == "viper":
                viper = True
                kernel = _Kernel(function, constants, path)
                edits.append(place + ("@_arguments(%s)" % ", ".join(kernel.makers),))
                edits += kernel.edits
    if viper:
        edits.append(_import_edit(tree, path))
        edits += _uctypes_edits(tree)
    return _apply(source, edits)


def _functions(tree):
    return [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]


def _emitter(decorator):
    """viper, native or None."""
    if (isinstance(decorator, ast.Attribute) and isinstance(decorator.value, ast.Name)
            and decorator.value.id == "micropython" and decorator.attr in ("viper", "native")):
        return decorator.attr
    return None


def _constants(tree):
    """Names that `X = const(...)` makes literals of."""
    names = set()
    for node in tree.body:
        if (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
                and isinstance(node.value.func, ast.Name) and node.value.func.id == "const"):
            names.update(t.id for t in node.targets if isinstance(t, ast.Name))
    return names


def _import_edit(tree, path):
    """The pointers' import, on the line of an import that every kernel has."""
    for node in tree.body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else ()
        if "micropython" in names:
            return (node.end_lineno, node.end_col_offset, node.end_lineno, node.end_col_offset,
                    "; from pointers import ptr8, ptr16, ptr32, _int, _uint, _arguments")
    raise Underivable("%s: a kernel begins with `import micropython`" % path)


def _uctypes_edits(tree):
    """bytes_at() of an address: the shim's, which knows what its addresses point into."""
    edits = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "uctypes":
            names = ", ".join(a.name for a in node.names)
            edits.append((node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, "from pointers import " + names))
    return edits


def _apply(source, edits):
    # ast counts columns in bytes of UTF-8.
    lines = [line.encode() for line in source.split("\n")]
    for line, col, end_line, end_col, text in sorted(edits, reverse=True):
        # As many lines as before, so that all others keep their numbers.
        text += "\n" * (end_line - line - text.count("\n"))
        new = lines[line - 1][:col] + text.encode() + lines[end_line - 1][end_col:]
        lines[line - 1:end_line] = new.split(b"\n")
    return b"\n".join(lines).decode()


class _Kernel:
    """One viper function: its types inferred as viper infers them, its expressions rewritten."""

    def __init__(self, function, constants, path):
        self.path = path
        self.edits = []
        self.types = {}         # local name -> type, fixed by its first assignment
        self.constants = constants
        self.returns = self._annotation(function.returns)
        self.makers = []        # what each argument is converted by
        if function.args.kwonlyargs or function.args.vararg or function.args.kwarg:
            self._fail(function, "viper takes plain arguments only")
        for arg in function.args.args:
            kind = self.types[arg.arg] = self._annotation(arg.annotation)
            self.makers.append("_" + kind if kind in (INT, UINT) else "None" if kind == OBJECT else kind)
            if arg.annotation is not None:
                # CPython evaluates annotations; these names are nothing there.
                self._edit(arg.annotation, "object")
        if function.returns is not None:
            self._edit(function.returns, "object")
        self._globals(function)
        for statement in function.body:
            self._statement(statement)

    def _fail(self, node, why):
        raise Underivable("%s:%d: %s" % (self.path, node.lineno, why))

    def _annotation(self, node):
        if node is None:
            return OBJECT
        if isinstance(node, ast.Name) and node.id in NAMES + (BOOL, OBJECT):
            return node.id
        self._fail(node, "viper knows no type %s" % ast.unparse(node))

    def _globals(self, function):
        self.globals = set()
        for node in ast.walk(function):
            if isinstance(node, (ast.Lambda, ast.FunctionDef)) and node is not function:
                self._fail(node, "no function inside a viper function")
            if isinstance(node, (ast.Global, ast.Nonlocal)):
                self.globals.update(node.names)

    def _edit(self, node, text):
        self.edits.append((node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, text))

    # Statements

    def _statement(self, node):
        name = "_on_" + type(node).__name__
        if not hasattr(self, name):
            self._fail(node, "no plain form for this statement in viper")
        getattr(self, name)(node)

    def _block(self, statements):
        for statement in statements:
            self._statement(statement)

    def _on_Pass(self, node):
        pass

    _on_Break = _on_Continue = _on_Global = _on_Nonlocal = _on_Pass

    def _on_Expr(self, node):
        if isinstance(node.value, ast.Constant):
            return
        kind, new = self._expression(node.value)
        self._put(node.value, new)

    def _on_Raise(self, node):
        if node.exc is not None:
            self._put(node.exc, self._expression(node.exc)[1])

    def _on_Assert(self, node):
        self._put(node.test, self._whole(node.test)[1])

    def _on_Return(self, node):
        if node.value is None:
            return
        kind, new = self._expression(node.value)
        kind = self.returns if self.returns in (INT, UINT) and kind in (INT, UINT) else kind
        self._put(node.value, _wrap(kind, new))

    def _on_If(self, node):
        self._put(node.test, self._whole(node.test)[1])
        self._block(node.body)
        self._block(node.orelse)

    _on_While = _on_If

    def _on_For(self, node):
        if not isinstance(node.target, ast.Name):
            self._fail(node, "a loop in viper counts in one name")
        is_range = (isinstance(node.iter, ast.Call) and isinstance(node.iter.func, ast.Name)
                    and node.iter.func.id == "range")
        if is_range:
            for argument in node.iter.args:
                self._put(argument, self._whole(argument)[1])
        else:
            self._put(node.iter, self._whole(node.iter)[1])
        self.types.setdefault(node.target.id, INT if is_range else OBJECT)
        self._block(node.body)
        self._block(node.orelse)

    def _on_Try(self, node):
        self._block(node.body)
        for handler in node.handlers:
            self._block(handler.body)
        self._block(node.orelse)
        self._block(node.finalbody)

    def _on_AnnAssign(self, node):
        self._fail(node, "give a local in viper its type by its first value: x = uint(...)")

    def _on_Assign(self, node):
        if len(node.targets) == 1 and isinstance(node.targets[0], ast.Tuple):
            names, values = node.targets[0].elts, node.value
            if not isinstance(values, ast.Tuple) or len(values.elts) != len(names):
                self._fail(node, "viper assigns several names from as many values")
            for target, value in zip(names, values.elts):
                self._store([target], value)
        else:
            self._store(node.targets, node.value)

    def _store(self, targets, value):
        kind, new = self._expression(value)
        for target in targets:
            if isinstance(target, ast.Subscript):
                self._subscript_target(target)
            elif isinstance(target, ast.Name) and target.id not in self.globals:
                self.types.setdefault(target.id, kind)
        self._put(value, _wrap(kind, new))

    def _subscript_target(self, target):
        if not isinstance(target.slice, ast.Slice):
            self._put(target.slice, self._whole(target.slice)[1])
        if not isinstance(target.value, ast.Name):
            self._put(target.value, self._expression(target.value)[1])

    def _on_AugAssign(self, node):
        # x op= y is x = x op y, so an index would be evaluated twice.
        target = node.target
        if self._expression(target)[0] not in (INT, UINT):
            self._put(node.value, self._whole(node.value)[1])
            return
        if any(isinstance(n, ast.Call) and n.func.id not in NAMES for n in ast.walk(target)):
            self._fail(node, "a call in the target of an augmented assignment")
        kind, new = self._expression(ast.copy_location(ast.BinOp(target, node.op, node.value), node))
        left = ast.unparse(self._expression(target)[1])
        self._edit(node, "%s = %s" % (left, ast.unparse(_wrap(kind, new))))

    def _put(self, old, new):
        text = ast.unparse(new)
        if text != ast.unparse(old):
            lines = old.end_lineno - old.lineno
            if lines:
                # Brackets let the expression end on the line where it did.
                text = "(" + text + "\n" * lines + ")"
            self._edit(old, text)

    # Expressions: (type, new node)

    def _whole(self, node):
        """An expression whose bits above 31 would show: wrapped."""
        kind, new = self._expression(node)
        return kind, _wrap(kind, new)

    def _expression(self, node):
        name = "_of_" + type(node).__name__
        if hasattr(self, name):
            return getattr(self, name)(node)
        self._fail(node, "no plain form for %s in viper" % ast.unparse(node))

    def _of_Constant(self, node):
        if type(node.value) is bool:
            return BOOL, node
        if type(node.value) is int and -_BIG <= node.value < _BIG:
            return INT, node
        return OBJECT, node

    def _of_Name(self, node):
        if node.id in self.types and node.id not in self.globals:
            return self.types[node.id], node
        if node.id in self.constants:
            return INT, node
        return OBJECT, node

    def _of_Attribute(self, node):
        return OBJECT, ast.Attribute(self._whole(node.value)[1], node.attr, node.ctx)

    def _of_Tuple(self, node):
        return OBJECT, ast.Tuple([self._whole(e)[1] for e in node.elts], node.ctx)

    def _of_List(self, node):
        return OBJECT, ast.List([self._whole(e)[1] for e in node.elts], node.ctx)

    def _of_Subscript(self, node):
        base_kind, base = self._expression(node.value)
        if isinstance(node.slice, ast.Slice):
            parts = [p and self._whole(p)[1] for p in (node.slice.lower, node.slice.upper, node.slice.step)]
            index = ast.Slice(*parts)
        else:
            index = self._whole(node.slice)[1]
        kind = INT if base_kind in POINTERS else OBJECT
        return kind, ast.Subscript(base, index, node.ctx)

    def _of_Call(self, node):
        arguments = [self._whole(a)[1] for a in node.args]
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name in POINTERS:
            return name, ast.Call(node.func, arguments, [])
        if name in (INT, UINT) and len(node.args) == 1:
            kind = self._expression(node.args[0])[0]
            return (ADDRESS if kind in POINTERS or kind == ADDRESS else name,
                    ast.Call(ast.Name("_" + name, ast.Load()), arguments, []))
        if name in (BOOL, OBJECT):
            new = arguments[0] if name == OBJECT else ast.Call(node.func, arguments, [])
            return name, new
        keywords = [ast.keyword(k.arg, self._whole(k.value)[1]) for k in node.keywords]
        function = node.func if name else self._expression(node.func)[1]
        return OBJECT, ast.Call(function, arguments, keywords)

    def _of_BinOp(self, node):
        kind, left = self._expression(node.left)
        right_kind, right = self._expression(node.right)
        if ADDRESS in (kind, right_kind):
            moved = (isinstance(node.op, ast.Add) or isinstance(node.op, ast.Sub)) and kind != right_kind
            new = ast.BinOp(_wrap(kind, left), node.op, _wrap(right_kind, right))
            return ADDRESS if moved else INT, new
        if kind not in (INT, UINT):
            return kind, ast.BinOp(left, node.op, right)
        dividing = isinstance(node.op, (ast.FloorDiv, ast.Mod))
        if dividing or not isinstance(node.op, _RING + (ast.LShift,)):
            left = _wrap(kind, left)
        if not isinstance(node.op, _RING):
            right = _wrap(right_kind, right)
        if dividing and kind == UINT:
            # viper has one division, the signed one.
            left = _wrap(INT, _loose(left))
        new = ast.BinOp(left, node.op, right)
        same = kind == right_kind or _small(right)
        new.loose = (isinstance(node.op, _GROWING) or _is_loose(left) or _is_loose(right) or not same
                     or dividing and kind == UINT)
        if isinstance(node.op, ast.RShift) or isinstance(node.op, ast.BitAnd) and (_small(left) or _small(right)):
            new.loose = False
        return kind, new

    def _of_UnaryOp(self, node):
        kind, operand = self._expression(node.operand)
        if isinstance(node.op, ast.Not):
            return BOOL, ast.UnaryOp(node.op, _wrap(kind, operand))
        new = ast.UnaryOp(node.op, operand)
        if kind in (INT, UINT) and not isinstance(node.operand, ast.Constant):
            new.loose = True
        return kind, new

    def _of_BoolOp(self, node):
        sides = [self._whole(v) for v in node.values]
        return sides[0][0], ast.BoolOp(node.op, [new for kind, new in sides])

    def _of_Compare(self, node):
        return BOOL, ast.Compare(self._whole(node.left)[1], node.ops,
                                 [self._whole(c)[1] for c in node.comparators])

    def _of_IfExp(self, node):
        test = self._whole(node.test)[1]
        kind, yes = self._whole(node.body)
        no = self._whole(node.orelse)[1]
        return kind, ast.IfExp(test, yes, no)


def _small(node):
    """A literal that no signedness can change."""
    return isinstance(node, ast.Constant) and type(node.value) is int and 0 <= node.value < _BIG


def _is_loose(node):
    """Whether bits above the 32nd may be set, or the sign wrong."""
    return getattr(node, "loose", False)


def _loose(node):
    if _small(node):
        return node
    node = copy.copy(node)
    node.loose = True
    return node


def _wrap(kind, node):
    """Cut an expression that may have grown to a 32-bit word of its type."""
    if kind not in (INT, UINT) or not _is_loose(node):
        return node
    mask = ast.Constant(0xFFFFFFFF)
    if kind == UINT:
        return ast.BinOp(node, ast.BitAnd(), mask)
    half = ast.Constant(0x80000000)
    return ast.BinOp(ast.BinOp(ast.BinOp(node, ast.Add(), half), ast.BitAnd(), mask), ast.Sub(), half)
