#!/usr/bin/env python3
"""Fails on an #include that goes against the floors of ARCHITECTURE.md.

Usage: check_includes.py [TOP_FOLDER]

Reads the stillwatch_module and stillwatch_program lines of CMakeLists.txt and every #include under src/, and
prints `file:line: what is wrong` for each of these:
  - a module that uses one of the same or a higher floor, or one that is not declared;
  - an #include of a module that the module's USES does not name;
  - a library's header in a module whose LIBS does not name the library, or in any header file;
  - a test library outside tests, a header that the style bans, a clock or file or thread in a pure module;
  - a floor table in ARCHITECTURE.md, or packages in deploy/packages.txt, that do not match CMake.
Exit codes: 0 clean, 1 something found, 2 the build files cannot be read.
"""
import dataclasses
import pathlib
import re
import sys

# Library as CMake names it: how its headers begin, and the Debian package that holds it.
LIBRARIES = {
    "fmt::fmt": (("fmt/",), "libfmt-dev"),
    "spdlog::spdlog": (("spdlog/",), "libspdlog-dev"),
    "tl::expected": (("tl/",), "libexpected-dev"),
    "simdjson": (("simdjson.h", "simdjson/"), "libsimdjson-dev"),
    "zstd": (("zstd.h", "zstd_errors.h", "zdict.h"), "libzstd-dev"),
    "zlib": (("zlib.h", "zconf.h"), "zlib1g-dev"),
    "sodium": (("sodium.h", "sodium/"), "libsodium-dev"),
    "openssl": (("openssl/",), "libssl-dev"),
    "xxhash": (("xxhash.h", "xxh3.h"), "libxxhash-dev"),
    "tomlplusplus": (("toml++/", "toml.hpp"), "libtomlplusplus-dev"),
    "rocksdb": (("rocksdb/",), "librocksdb-dev"),
    "prometheus": (("prometheus/",), "prometheus-cpp-dev"),
    "cli11": (("CLI/",), "libcli11-dev"),
    "boost": (("boost/",), "libboost1.81-dev"),
    "Threads::Threads": (("thread", "mutex", "shared_mutex", "condition_variable", "semaphore", "latch", "barrier",
                          "future", "stop_token", "pthread.h"), "build-essential"),
}
# Reached through base by every module; still only in .cc files.
EVERYWHERE = {"fmt::fmt"}
# The one header that may show a library's type: Result is everywhere, and std::expected is not in g++ 12.
# And the container of the hot tables, behind an alias; and the JSON values that the readers of a body share.
HEADER_ALLOWED = {("src/base/result.h", "tl/expected.hpp"),
                  ("src/base/flat_map.h", "boost/unordered/unordered_flat_map.hpp"),
                  ("src/base/byte_stream.h", "boost/pfr/core.hpp"),  # the members of any struct
                  ("src/intake/json_value.h", "simdjson.h"),
                  # A coroutine's type is in every signature that waits.
                  ("src/http/task.h", "boost/asio/awaitable.hpp"), ("src/http/task.h", "boost/asio/io_context.hpp")}
TEST_HEADERS = {"gtest/": ("_test.cc", "_fixture.h"), "gmock/": ("_test.cc",), "benchmark/": ("_bench.cc",)}
BANNED = {
    "source_location": "clang-tidy 14 cannot read it",
    "ranges": "clang 14 cannot compile views",
    "regex": "slow, and unbounded on bytes of an attacker",
}
# Pure: (state, batch, event time) in, findings out. No clock, disk, network or thread in its production code.
PURE = {"detect", "stats", "sketch", "graph"}
IMPURE_HEADERS = {"chrono", "ctime", "time.h", "sys/time.h", "fstream", "iostream", "filesystem", "thread",
                  "mutex", "shared_mutex", "condition_variable", "atomic", "future", "unistd.h", "fcntl.h",
                  "sys/stat.h", "sys/socket.h", "base/files.h"}

CALL = re.compile(r"^\s*stillwatch_(module|program)\(([^)]*)\)", re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
FLOOR_ROW = re.compile(r"^\|\s*(\d+)\s*\|\s*`(\w+)`\s*\|")
CHECK_SUFFIXES = ("_test.cc", "_bench.cc", "_fuzz.cc")


@dataclasses.dataclass
class Module:
    name: str
    floor: int
    uses: list
    libraries: list
    line: int


def parse_modules(cmake_text):
    """The modules of CMakeLists.txt by name. ValueError names the line that cannot be read."""
    modules = {}
    text = re.sub(r"#[^\n]*", "", cmake_text)
    for call in CALL.finditer(text):
        line = text.count("\n", 0, call.start(1)) + 1
        words = call.group(2).split()
        lists = {"FLOOR": [], "NAME": [], "USES": [], "LIBS": []}
        if not words:
            raise ValueError(f"CMakeLists.txt:{line}: a module without a name")
        current = None
        for word in words[1:]:
            if word in lists:
                current = lists[word]
            elif current is None:
                raise ValueError(f"CMakeLists.txt:{line}: {word} stands before FLOOR, USES or LIBS")
            else:
                current.append(word)
        if len(lists["FLOOR"]) != 1 or not lists["FLOOR"][0].isdigit():
            raise ValueError(f"CMakeLists.txt:{line}: {words[0]} needs one FLOOR number")
        if words[0] in modules:
            raise ValueError(f"CMakeLists.txt:{line}: {words[0]} is declared twice")
        modules[words[0]] = Module(words[0], int(lists["FLOOR"][0]), lists["USES"], lists["LIBS"], line)
    if not modules:
        raise ValueError("CMakeLists.txt: no stillwatch_module line")
    return modules


def check_floors(modules):
    for module in modules.values():
        place = f"CMakeLists.txt:{module.line}"
        for used in module.uses:
            if used not in modules:
                yield f"{place}: {module.name} uses {used}, which is no module"
            elif modules[used].floor >= module.floor:
                yield (f"{place}: {module.name} (floor {module.floor}) uses {used} (floor {modules[used].floor}); "
                       "only lower floors may be used")
        for library in module.libraries:
            if library not in LIBRARIES:
                yield f"{place}: library {library} is unknown; add its headers and package to tools/check_includes.py"


def library_of(header):
    for library, (beginnings, _) in LIBRARIES.items():
        for beginning in beginnings:
            if header == beginning or (beginning.endswith("/") and header.startswith(beginning)):
                return library
    return None


def check_include(path, module, modules, header):
    """What is wrong with this #include; None when nothing is. `path` is relative to the top."""
    is_check = path.endswith(CHECK_SUFFIXES)
    is_production = not is_check
    folder = header.split("/", 1)[0]
    if "/" in header and folder in modules:
        if folder != module.name and folder not in module.uses:
            return (f'{module.name} may not include "{header}": {folder} is not in its USES '
                    f"({' '.join(module.uses) or 'none'})")
    for beginning, suffixes in TEST_HEADERS.items():
        if header.startswith(beginning) and not path.endswith(suffixes):
            return f"<{header}> belongs in {' and '.join('*' + suffix for suffix in suffixes)} files only"
    if header in BANNED:
        return f"<{header}> is not used here: {BANNED[header]}"
    if is_production and module.name in PURE and header in IMPURE_HEADERS:
        return f"{module.name} is pure: no clock, disk, network or thread, so no <{header}>"
    library = library_of(header)
    if library is None or (path, header) in HEADER_ALLOWED:
        return None
    threads = library == "Threads::Threads"
    if library not in module.libraries and library not in EVERYWHERE and not (threads and is_check):
        return f"<{header}> needs {library}, which {module.name} does not link"
    if path.endswith(".h") and not threads:
        return f"<{header}> in a header file: libraries stay in .cc files"
    return None


def check_sources(top, modules):
    for path in sorted((top / "src").rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        relative = path.relative_to(top).as_posix()
        parts = relative.split("/")
        if len(parts) != 3 or parts[1] not in modules:
            yield f"{relative}:1: lies in no module; modules are folders under src/ that CMakeLists.txt names"
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            include = INCLUDE.match(line)
            if not include:
                continue
            wrong = check_include(relative, modules[parts[1]], modules, include.group(2))
            if wrong is None and include.group(1) == '"' and not (top / "src" / include.group(2)).is_file():
                wrong = f'"{include.group(2)}" is no file under src/; quoted includes start at src/'
            if wrong:
                yield f"{relative}:{number}: {wrong}"


def check_table(text, modules):
    """The floor table has exactly the modules of CMake, each with its floor."""
    seen = {}
    for number, line in enumerate(text.splitlines(), 1):
        row = FLOOR_ROW.match(line)
        if not row:
            continue
        floor, name = int(row.group(1)), row.group(2)
        seen[name] = number
        if name not in modules:
            yield f"ARCHITECTURE.md:{number}: {name} is in the floor table but not in CMakeLists.txt"
        elif modules[name].floor != floor:
            yield (f"ARCHITECTURE.md:{number}: {name} is on floor {floor} here "
                   f"and {modules[name].floor} in CMakeLists.txt")
    for name in modules:
        if name not in seen:
            yield f"ARCHITECTURE.md:1: the floor table has no row for {name}"


def check_packages(text, modules):
    packages = {line.strip() for line in text.splitlines()}
    linked = {library for module in modules.values() for library in module.libraries}
    for library in sorted(linked & LIBRARIES.keys()):
        if LIBRARIES[library][1] not in packages:
            yield f"deploy/packages.txt:1: {LIBRARIES[library][1]} is missing; CMakeLists.txt links {library}"


def check(top):
    """All findings of the checkout at `top`."""
    modules = parse_modules((top / "CMakeLists.txt").read_text(encoding="utf-8"))
    findings = list(check_floors(modules))
    findings += check_sources(top, modules)
    findings += check_table((top / "ARCHITECTURE.md").read_text(encoding="utf-8"), modules)
    findings += check_packages((top / "deploy/packages.txt").read_text(encoding="utf-8"), modules)
    return findings


def main(arguments):
    top = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parent.parent
    try:
        findings = check(top)
    except (OSError, ValueError) as error:
        print(f"check_includes: {error}", file=sys.stderr)
        return 2
    for finding in findings:
        print(finding)
    if findings:
        print(f"{len(findings)} findings. The rules are in ARCHITECTURE.md and at the top of tools/check_includes.py.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
