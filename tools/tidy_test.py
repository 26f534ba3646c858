#!/usr/bin/env python3
"""Tests of tidy.py on small checkouts, each with one thing wrong."""
import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import tidy  # noqa: E402

HEADER = "// A thing. Invariant: none. Threads: any. Cost: none.\n#pragma once\n"
CLEAN = {
    "src/base/thing.h": HEADER,
    "src/base/thing.cc": '#include "base/thing.h"\n',
    "src/base/thing_test.cc": 'const char* kFolder = "/tmp/thing_XXXXXX";\n',
    "src/app/main.cc": "int main() {}\n",
    "docs/start.md": "# Start\n\n```\n# a comment of the shell\n```\n",
    "LICENSE": "x" * 300 + "\n",
}


class Tidy(unittest.TestCase):
    def findings(self, changes=None, git=False):
        with tempfile.TemporaryDirectory() as name:
            top = pathlib.Path(name)
            for path, content in {**CLEAN, **(changes or {})}.items():
                (top / path).parent.mkdir(parents=True, exist_ok=True)
                (top / path).write_bytes(content if isinstance(content, bytes) else content.encode())
            if git:
                subprocess.run(["git", "init", "-q", name], check=True)
            return tidy.check(top)

    def assert_one(self, changes, path, line, words):
        findings = self.findings(changes)
        self.assertEqual(len(findings), 1, findings)
        self.assertEqual(findings[0][:2], (path, line))
        self.assertIn(words, findings[0][2])

    def test_clean(self):
        self.assertEqual(self.findings(), [])

    def test_lines_and_files_too_long(self):
        path = "src/base/thing.cc"
        self.assertEqual(self.findings({path: "x" * 120 + "\n"}), [])
        self.assert_one({path: "\n" + "x" * 121 + "\n"}, path, 2, "121 columns")
        self.assertEqual(self.findings({path: "x\n" * 400}), [])
        self.assert_one({path: "x\n" * 401}, path, 401, "401 lines")

    def test_columns_are_characters(self):
        self.assertEqual(self.findings({"src/base/thing.cc": "// " + "ü" * 117 + "\n"}), [])

    def test_banned_names(self):
        self.assert_one({"src/base/json_utils.h": HEADER}, "src/base/json_utils.h", 1, "utils")
        for identifier in ("ThreadManager", "row_helper", "kMiscTable", "HTTPHelper", "utils"):
            self.assert_one({"src/base/thing.cc": f"int {identifier};\n"}, "src/base/thing.cc", 1, identifier)
        fine = 'int utilisation; // a helper\nconst char* t = "misc";\n'
        self.assertEqual(self.findings({"src/base/thing.cc": fine}), [])

    def test_included_names_are_not_ours(self):
        self.assertEqual(self.findings({"src/base/thing.cc": "#include <sodium/utils.h>\n"}), [])

    def test_headers(self):
        self.assert_one({"src/base/thing.h": "#pragma once\n// late\n"}, "src/base/thing.h", 1, "starts with")
        self.assert_one({"src/base/thing.h": "// a thing\n"}, "src/base/thing.h", 1, "pragma once")

    def test_documents(self):
        self.assert_one({"docs/start.md": "text\n"}, "docs/start.md", 1, "0 titles")
        self.assert_one({"docs/start.md": "# a\n\n# b\n"}, "docs/start.md", 3, "2 titles")
        self.assert_one({"docs/start.md": "# a\n" + "x " * 70 + "\n"}, "docs/start.md", 2, "wrap")
        self.assertEqual(self.findings({"docs/start.md": "# a\n| " + "x" * 200 + " |\n"}), [])

    def test_links(self):
        self.assert_one({"docs/start.md": "# a\n[x](reference/none.md#top)\n"}, "docs/start.md", 2, "leads nowhere")
        fine = "# a\n[x](../LICENSE) [y](#a) [z](https://example.org/none) [s](start.md#a)\n```\na[i](j)\n```\n"
        self.assertEqual(self.findings({"docs/start.md": fine}), [])

    def test_machine_paths(self):
        for text in ("/work/main/x", "see /home/me", "`/tmp/out`", "in /tmp", "../shared/prompts", "(/root)"):
            self.assert_one({"docs/start.md": f"# a\n{text}\n"}, "docs/start.md", 2, "one machine")
        for text in ("src/work/x", "example.org/home/x", "$ROOT/tmp/x", "/tmp/x_XXXXXX", "shared lists", "framework/x"):
            self.assertEqual(self.findings({"docs/start.md": f"# a\n{text}\n"}), [], text)

    def test_open_ends(self):
        self.assert_one({"src/base/thing.cc": "// TODO: later\n"}, "src/base/thing.cc", 1, "issue")
        self.assertEqual(self.findings({"src/base/thing.cc": "// TODO(#12): later\n"}), [])

    def test_ends_of_lines_and_files(self):
        self.assert_one({"src/base/thing.cc": "int x; \n"}, "src/base/thing.cc", 1, "spaces")
        self.assert_one({"src/base/thing.cc": "int x;"}, "src/base/thing.cc", 1, "no newline")

    def test_fuzzers_need_a_corpus(self):
        fuzzer = {"src/base/line_fuzz.cc": "\n"}
        self.assert_one(fuzzer, "src/base/line_fuzz.cc", 1, "tests/corpus/base_line_fuzz/")
        # A corpus may hold anything.
        self.assertEqual(self.findings({**fuzzer, "tests/corpus/base_line_fuzz/1": b"/home/x TODO " + b"x" * 200}), [])

    def test_modules_need_tests(self):
        self.assert_one({"src/graph/peel.cc": "\n"}, "src/graph", 1, "no *_test.cc")

    def test_binary_files_are_left_alone(self):
        self.assertEqual(self.findings({"docs/picture.png": b"\x89PNG\0/home/x"}), [])

    def test_ignored_files_do_not_count(self):
        bad = {"build/thing.cc": "int x; \n", ".gitignore": "/build/\n"}
        self.assertEqual(self.findings(bad), [])
        try:
            self.assertEqual(self.findings(bad, git=True), [])
        except FileNotFoundError:
            self.skipTest("git is not installed")

    def test_exit_code(self):
        with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()) as output:
            self.assertEqual(tidy.main([name]), 0)
            (pathlib.Path(name) / "x.cc").write_text("int x; \n")
            self.assertEqual(tidy.main([name]), 1)
        self.assertIn("x.cc:1: spaces", output.getvalue())


if __name__ == "__main__":
    unittest.main()
