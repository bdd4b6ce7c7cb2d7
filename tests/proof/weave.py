"""Weaves annotations into a room of the client, as comments that Frama-C reads.

The blocks of an .acsl file begin with one of these lines:

    @ before NAME           declarations, before the function NAME
    @ NAME                  the contract of the function
    @ NAME in cases         the same, for a function that is only proved when its goals are split into cases
    @ NAME loop N           the annotation of its N-th loop
    @ NAME at CODE          a hint, before the code that stands once in the function

Whatever does not find its place stops the weaving, as does a function without a contract and a loop without an annotation:
a change of the sources cannot drop a proof silently.
"""
import re

COMMENT_OR_TEXT = re.compile(r"""/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.DOTALL)
FUNCTION = re.compile(r"^\w[^;{}()#]*\b(\w+)\([^;{}]*\)\n\{\n.*?^\}\n", re.DOTALL | re.MULTILINE)
LOOP = re.compile(r"\b(for|while|do)\b")


def blank(source):
    """The source with spaces for comments and texts: the same places, only code."""
    return COMMENT_OR_TEXT.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), source)


def functions(source):
    """Name, start and end of each function."""
    return [(found.group(1), found.start(), found.end()) for found in FUNCTION.finditer(blank(source))]


def closes_do(code, at):
    """Whether the while at this place ends a do."""
    before = code[:at].rstrip()
    if not before.endswith("}"):
        return False
    depth = 0
    for i in range(len(before) - 1, -1, -1):
        depth += (before[i] == "}") - (before[i] == "{")
        if depth == 0:
            return re.search(r"\bdo\s*$", before[:i]) is not None
    return False


def loops(code):
    return [found.start() for found in LOOP.finditer(code) if found.group() != "while" or not closes_do(code, found.start())]


def read(annotations):
    """The blocks: their text by what stands behind the @, and the names of those in cases."""
    blocks, cases = {}, []
    for part in re.split(r"^@ ", annotations, flags=re.MULTILINE)[1:]:
        place, text = part.split("\n", 1)
        if place.endswith(" in cases"):
            place = place[:-len(" in cases")]
            cases.append(place)
        if place in blocks:
            raise ValueError("two blocks for: " + place)
        blocks[place] = text.rstrip() + "\n"
    return blocks, cases


def contract(name, text):
    """Every function must also end. The grammar wants that said between requires and assigns."""
    with_end, count = re.subn(r"^    assigns ", r"    terminates \\true;\n    assigns ", text, count=1, flags=re.MULTILINE)
    if count == 0:
        raise ValueError("a contract without assigns: " + name)
    return with_end


def weave(source, annotations):
    """The woven source, the names of its functions, and of those to be proved in cases."""
    blocks, cases = read(annotations)
    code = blank(source)
    inserts = []                                 # (place, text), those at the same place in their order

    def insert(place, text):
        inserts.append((place, "/*@\n" + text + "*/\n"))

    for name, start, end in functions(source):
        if "before " + name in blocks:
            insert(start, blocks.pop("before " + name))
        if name not in blocks:
            raise ValueError("no contract for the function " + name)
        insert(start, contract(name, blocks.pop(name)))
        for number, place in enumerate(loops(code[start:end]), 1):
            loop = "%s loop %d" % (name, number)
            if loop not in blocks:
                raise ValueError("no annotation for: " + loop)
            insert(start + place, blocks.pop(loop))
        for hint in [block for block in blocks if block.startswith(name + " at ")]:
            text = hint[len(name + " at "):]
            if code.count(text, start, end) != 1:
                raise ValueError("does not stand once in the function: " + hint)
            insert(code.index(text, start, end), blocks.pop(hint))
    if blocks:
        raise ValueError("found no place for: " + ", ".join(blocks))
    woven = source
    for place, text in sorted(inserts, key=lambda one: one[0])[::-1]:
        woven = woven[:place] + text + woven[place:]
    return woven, [name for name, _, _ in functions(source)], cases
