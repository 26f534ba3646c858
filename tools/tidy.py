#!/usr/bin/env python3
"""Fails on what reviewers should not have to say: long lines and files, banned names, bare headers, machine paths.

Usage: tidy.py [TOP_FOLDER]

Looks at the files that git tracks, and at untracked ones that it does not ignore; without git at all files.
Prints `file:line: what is wrong`. Exit codes: 0 clean, 1 something found.
"""
import os
import pathlib
import re
import subprocess
import sys

COLUMNS_MAX = 120
LINES_MAX = 400
# Files that may be longer, each with its reason. Empty is best.
LONG_FILES = {}
# Modules without a *_test.cc of their own, each with its reason.
UNTESTED_MODULES = {"app": "only wires modules together; tests/ runs the binary end to end"}

CODE = (".h", ".cc", ".py", ".sh", ".cmake", ".mjs")
CODE_NAMES = ("CMakeLists.txt", "Makefile", "run")
BANNED_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers", "misc"}
# Texts that we did not write, and data for parsers that may hold anything.
FOREIGN = ("LICENSE", "tests/corpus/", "tests/golden/")
# These name what they ban.
LISTS_BANNED = ("tools/tidy.py", "tools/tidy_test.py")

MACHINE_PATH = re.compile(r"(?<![\w.\-/}$])/(?:work|home|root|tmp|Users)(?:/[^\s\"'`)<>]*|(?=[\s\"'`),.]|$))"
                          r"|(?<!\w)shared/")
TEMPLATE_PATH = re.compile(r"/tmp/[\w.\-]*XXXXXX")
TODO = re.compile(r"\b(TODO|FIXME|XXX)\b(?!XXX)")
TODO_WITH_ISSUE = re.compile(r"\bTODO\(#\d+\)")
LITERAL_OR_COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
HASH_COMMENT_OR_LITERAL = re.compile(r"#[^\n]*|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"")
INCLUDE_LINE = re.compile(r"^\s*#\s*include[^\n]*", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def listed_files(top):
    """Relative paths, sorted. Only regular files that exist."""
    try:
        done = subprocess.run(["git", "-C", str(top), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                              capture_output=True, check=True)
        paths = [path for path in done.stdout.decode("utf-8", "surrogateescape").split("\0") if path]
    except (OSError, subprocess.CalledProcessError):
        paths = []
        for folder, folders, names in os.walk(top):
            relative = pathlib.Path(folder).relative_to(top)
            skipped = {".git", "build", "out"} if folder == str(top) else {".git"}
            folders[:] = [name for name in folders if name not in skipped]
            paths += [(relative / name).as_posix() for name in names if not name.endswith(".pyc")]
    return sorted(path for path in set(paths) if (top / path).is_file() and not (top / path).is_symlink())


def is_code(path):
    return path.endswith(CODE) or path.rsplit("/", 1)[-1] in CODE_NAMES


def words_of(identifier):
    return [word.lower() for word in WORD.findall(identifier)]


def blank(match):
    """Keeps the line numbers of what is cut out."""
    return "\n" * match.group(0).count("\n")


def check_names(path, text):
    for part in re.split(r"[/.]", path):
        bad = BANNED_NAMES.intersection(words_of(part))
        if bad:
            yield path, 1, f"a file named {bad.pop()} says nothing about what is in it"
    if not is_code(path) or path in LISTS_BANNED:
        return
    if path.endswith((".h", ".cc")):
        bare = LITERAL_OR_COMMENT.sub(blank, INCLUDE_LINE.sub("", text))
    else:
        bare = HASH_COMMENT_OR_LITERAL.sub(blank, text)
    for number, line in enumerate(bare.splitlines(), 1):
        for identifier in IDENTIFIER.findall(line):
            if BANNED_NAMES.intersection(words_of(identifier)):
                yield path, number, f"{identifier}: name it after what it does"


def check_size(path, lines):
    if len(lines) > LINES_MAX and path not in LONG_FILES:
        yield path, LINES_MAX + 1, f"{len(lines)} lines; split what is over {LINES_MAX}"
    if len(lines) <= LINES_MAX and path in LONG_FILES:
        yield path, 1, "is short again: take it out of LONG_FILES in tools/tidy.py"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            yield path, number, f"{len(line)} columns; at most {COLUMNS_MAX}"


def check_text(path, lines):
    for number, line in enumerate(lines, 1):
        if path not in LISTS_BANNED:
            found = MACHINE_PATH.search(TEMPLATE_PATH.sub("", line))
            if found:
                yield path, number, f"{found.group(0)} is a path of one machine"
            if TODO.search(TODO_WITH_ISSUE.sub("", line)):
                yield path, number, "an open end needs an issue: TODO(#12)"
        if line != line.rstrip() and not path.endswith(".md"):
            yield path, number, "spaces at the end of the line"


def check_header(path, lines):
    if not lines or not lines[0].startswith("//"):
        yield path, 1, "a header starts with a // comment: what it is, one invariant, threads, cost"
    if not any(line.strip() == "#pragma once" for line in lines):
        yield path, 1, "#pragma once is missing"


def check_document(top, path, lines):
    fenced = False
    titles = []
    for number, line in enumerate(lines, 1):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and line.startswith("# "):
            titles.append(number)
        if not fenced:
            for target in LINK.findall(line):
                if not ((top / path).parent / target).exists():
                    yield path, number, f"the link to {target} leads nowhere"
        if not fenced and len(line) > COLUMNS_MAX and not line.startswith("|") and "](" not in line:
            yield path, number, f"{len(line)} columns; wrap text at {COLUMNS_MAX}"
    if len(titles) != 1:
        yield path, titles[1] if titles else 1, f"{len(titles)} titles; a document has exactly one line with '# '"


def check_tests(paths):
    """Each module has tests; each fuzzer has a corpus."""
    for path in paths:
        parts = path.split("/")
        if path.endswith("_fuzz.cc") and len(parts) == 3:
            corpus = f"tests/corpus/{parts[1]}_{parts[2].removesuffix('.cc')}/"
            if not any(other.startswith(corpus) for other in paths):
                yield path, 1, f"no corpus: put seed files into {corpus}"
    modules = {path.split("/")[1] for path in paths if re.fullmatch(r"src/\w+/\w+\.cc", path)}
    for module in sorted(modules - set(UNTESTED_MODULES)):
        if not any(re.fullmatch(rf"src/{module}/\w+_test\.cc", path) for path in paths):
            yield f"src/{module}", 1, "the module has no *_test.cc"


def check(top):
    """All findings as (path, line, message), in order."""
    paths = listed_files(top)
    findings = list(check_tests(paths))
    for path in paths:
        if path.startswith(FOREIGN):
            continue
        raw = (top / path).read_bytes()
        if b"\0" in raw[:8192]:
            continue
        text = raw.decode("utf-8", "replace")
        lines = text.splitlines()
        findings += check_names(path, text)
        findings += check_text(path, lines)
        if is_code(path):
            findings += check_size(path, lines)
        if path.endswith(".h"):
            findings += check_header(path, lines)
        if path.endswith(".md"):
            findings += check_document(top, path, lines)
        if text and not text.endswith("\n"):
            findings.append((path, len(lines), "no newline at the end of the file"))
    return sorted(findings)


def main(arguments):
    top = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parent.parent
    findings = check(top)
    for path, line, message in findings:
        print(f"{path}:{line}: {message}")
    if findings:
        print(f"{len(findings)} findings. The rules are in CONTRIBUTING.md.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
