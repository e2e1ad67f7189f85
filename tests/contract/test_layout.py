#!/usr/bin/env -S /usr/bin/python3
# SPDX-License-Identifier: MIT
"""The layout of the statistics file is pinned by layout.txt: a reader of one version must read
files of the same version for ever.

While STATS_VERSION stays, every pinned line must still be true: fields keep their place and
numbers their meaning. New fields and numbers may be appended; they are pinned by
`test_layout.py --update`, which refuses to change an old line unless the version was raised.
"""
import os
import sys

sys.dont_write_bytecode = True
import ct

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "layout.txt")


def pinned(text):
    """Lines that may not change; sizes of structs may grow."""
    return [line for line in text.splitlines() if not line.startswith("size ")]


def is_array_grown(line, now):
    """thread_row.total is the one array at a struct's end: it may get more cells."""
    word = line.split()
    return word[1:3] == ["thread_row", "total"] and any(
        n.split()[:5] == word[:5] and int(n.split()[5]) >= int(word[5])
        for n in now if n.startswith("field "))


def changed(golden, text):
    now = set(text.splitlines())
    return [line for line in pinned(golden) if line not in now and not is_array_grown(line, now)]


def version(text):
    return text.split("\n", 1)[0]


@ct.case("layout_pinned_lines_unchanged")
def unchanged():
    golden, text = open(GOLDEN).read(), ct.layout().text
    ct.check_equal(version(text), version(golden), "STATS_VERSION and layout.txt (run "
                   "tests/contract/test_layout.py --update together with raising it)")
    wrong = changed(golden, text)
    ct.check(not wrong, f"changed without raising STATS_VERSION: {wrong[:5]}")


@ct.case("layout_everything_is_pinned")
def complete():
    golden = set(open(GOLDEN).read().splitlines())
    new = [line for line in pinned(ct.layout().text) if line not in golden]
    ct.check(not new, f"not in layout.txt yet (test_layout.py --update): {new[:5]}")


@ct.case("layout_swapped_fields_are_noticed")
def notices():
    golden = open(GOLDEN).read()
    lines = golden.splitlines()
    field = next(n for n, line in enumerate(lines) if line.startswith("field socket_row writes "))
    word = lines[field].split()
    word[3] = str(int(word[3]) + 8)
    lines[field] = " ".join(word)
    ct.check_equal(len(changed(golden, "\n".join(lines))), 1, "a moved field")
    ct.check_equal(len(changed(golden, golden + "name total 60 new\n")), 0, "an appended one")
    ct.check_equal(len(changed(golden, golden.replace("name total 0 writes",
                                                      "name total 0 reads"))), 1, "a renamed one")


def update():
    old = open(GOLDEN).read() if os.path.exists(GOLDEN) else ""
    new = ct.layout().text
    wrong = changed(old, new)
    if wrong and version(old) == version(new):
        sys.exit("these lines changed; raise STATS_VERSION first:\n" + "\n".join(wrong))
    open(GOLDEN, "w").write(new)


if __name__ == "__main__":
    if "--update" in sys.argv:
        update()
    else:
        ct.main()
