#!/usr/bin/env python3
"""Tests of check_includes.py on small checkouts, each with one thing wrong."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check_includes  # noqa: E402

CMAKE = """
# stillwatch_module(ghost FLOOR 9 USES base LIBS) is only a comment
stillwatch_module(base   FLOOR 0 USES            LIBS fmt::fmt tl::expected)
stillwatch_module(crypto FLOOR 1 USES base       LIBS sodium)
stillwatch_module(detect FLOOR 1 USES base       LIBS)
stillwatch_program(app   FLOOR 2 NAME stillwatch
  USES base crypto
  LIBS cli11)
"""
TABLE = "| 0 | `base` | x |\n| 1 | `crypto` | x |\n| 1 | `detect` | x |\n| 2 | `app` | x |\n"
PACKAGES = "libfmt-dev\nlibexpected-dev\nlibsodium-dev\nlibcli11-dev\n"
CLEAN = {
    "CMakeLists.txt": CMAKE,
    "ARCHITECTURE.md": TABLE,
    "deploy/packages.txt": PACKAGES,
    "src/base/result.h": "#pragma once\n#include <tl/expected.hpp>\n",
    "src/base/text.cc": "#include <fmt/format.h>\n",
    "src/crypto/hash.h": '#pragma once\n#include "base/result.h"\n',
    "src/crypto/hash.cc": '#include "crypto/hash.h"\n\n#include <sodium.h>\n#include <fmt/format.h>\n',
    "src/crypto/hash_test.cc": "#include <gtest/gtest.h>\n#include <thread>\n",
    "src/detect/step.cc": '#include "base/result.h"\n#include <vector>\n',
    "src/app/main.cc": '#include <CLI/CLI.hpp>\n#include "crypto/hash.h"\n',
}


class CheckIncludes(unittest.TestCase):
    def findings(self, **changes):
        """Findings of the clean checkout with some files replaced; keys use __ for / and _dot_ for the last dot."""
        files = dict(CLEAN)
        for key, text in changes.items():
            files[key.replace("__", "/").replace("_dot_", ".")] = text
        with tempfile.TemporaryDirectory() as name:
            top = pathlib.Path(name)
            for path, text in files.items():
                (top / path).parent.mkdir(parents=True, exist_ok=True)
                (top / path).write_text(text)
            return check_includes.check(top)

    def assert_one(self, findings, place, words):
        self.assertEqual(len(findings), 1, findings)
        self.assertTrue(findings[0].startswith(place + ": "), findings[0])
        self.assertIn(words, findings[0])

    def test_clean(self):
        self.assertEqual(self.findings(), [])

    def test_upward_include(self):
        self.assert_one(self.findings(src__base__text_dot_cc='\n#include "crypto/hash.h"\n'), "src/base/text.cc:2",
                        "may not include")

    def test_sibling_include(self):
        self.assert_one(self.findings(src__detect__step_dot_cc='#include "crypto/hash.h"\n'), "src/detect/step.cc:1",
                        "not in its USES (base)")

    def test_test_may_not_reach_higher_either(self):
        self.assert_one(self.findings(src__base__text_test_dot_cc='#include "crypto/hash.h"\n'),
                        "src/base/text_test.cc:1", "may not include")

    def test_spaces_do_not_hide_an_include(self):
        self.assert_one(self.findings(src__base__text_dot_cc='  #  include  "crypto/hash.h"\n'), "src/base/text.cc:1",
                        "may not include")

    def test_library_of_another_module(self):
        self.assert_one(self.findings(src__detect__step_dot_cc="#include <sodium/utils.h>\n"), "src/detect/step.cc:1",
                        "needs sodium")

    def test_library_in_header(self):
        self.assert_one(self.findings(src__crypto__hash_dot_h="#pragma once\n#include <sodium.h>\n"),
                        "src/crypto/hash.h:2", "in a header file")
        self.assert_one(self.findings(src__base__other_dot_h="#include <tl/expected.hpp>\n"), "src/base/other.h:1",
                        "in a header file")

    def test_gtest_outside_tests(self):
        self.assert_one(self.findings(src__base__text_dot_cc="#include <gtest/gtest.h>\n"), "src/base/text.cc:1",
                        "*_test.cc and *_fixture.h files only")

    def test_pure_module(self):
        self.assert_one(self.findings(src__detect__step_dot_cc="#include <chrono>\n"), "src/detect/step.cc:1",
                        "is pure")
        self.assertEqual(self.findings(src__detect__step_test_dot_cc="#include <chrono>\n"), [])

    def test_threads_need_the_library(self):
        self.assert_one(self.findings(src__crypto__hash_dot_cc="#include <mutex>\n"), "src/crypto/hash.cc:1",
                        "needs Threads::Threads")

    def test_banned(self):
        self.assert_one(self.findings(src__app__main_dot_cc="#include <regex>\n"), "src/app/main.cc:1", "not used here")

    def test_file_outside_modules(self):
        self.assert_one(self.findings(src__stray__x_dot_cc=""), "src/stray/x.cc:1", "lies in no module")

    def test_quoted_include_must_exist(self):
        self.assert_one(self.findings(src__base__text_dot_cc='#include "result.h"\n'), "src/base/text.cc:1",
                        "no file under src/")

    def test_uses_same_floor(self):
        changed = CMAKE.replace("detect FLOOR 1 USES base ", "detect FLOOR 1 USES base crypto ")
        self.assert_one(self.findings(CMakeLists_dot_txt=changed), "CMakeLists.txt:5", "only lower floors")

    def test_uses_unknown(self):
        changed = CMAKE.replace("USES base crypto\n", "USES base crypto graph\n")
        self.assert_one(self.findings(CMakeLists_dot_txt=changed), "CMakeLists.txt:6", "is no module")

    def test_unknown_library(self):
        changed = CMAKE.replace("LIBS sodium", "LIBS sodium curl")
        self.assert_one(self.findings(CMakeLists_dot_txt=changed), "CMakeLists.txt:4", "library curl is unknown")

    def test_table_differs(self):
        self.assert_one(self.findings(ARCHITECTURE_dot_md=TABLE.replace("| 1 | `crypto`", "| 2 | `crypto`")),
                        "ARCHITECTURE.md:2", "on floor 2 here and 1")
        self.assert_one(self.findings(ARCHITECTURE_dot_md=TABLE + "| 4 | `ghost` | x |\n"), "ARCHITECTURE.md:5",
                        "not in CMake")
        self.assert_one(self.findings(ARCHITECTURE_dot_md=TABLE.replace("| 2 | `app` | x |\n", "")),
                        "ARCHITECTURE.md:1", "no row for app")

    def test_package_missing(self):
        self.assert_one(self.findings(deploy__packages_dot_txt=PACKAGES.replace("libsodium-dev\n", "")),
                        "deploy/packages.txt:1", "libsodium-dev is missing")

    def test_unreadable_build_files(self):
        for text in ("", "stillwatch_module()", "stillwatch_module(base USES LIBS)",
                     "stillwatch_module(base x FLOOR 0)",
                     "stillwatch_module(base FLOOR 0)\nstillwatch_module(base FLOOR 0)"):
            with self.assertRaises(ValueError, msg=text):
                self.findings(CMakeLists_dot_txt=text)

    def test_exit_codes(self):
        with tempfile.TemporaryDirectory() as name, contextlib.redirect_stderr(io.StringIO()) as errors:
            self.assertEqual(check_includes.main([name]), 2)
        self.assertIn("CMakeLists.txt", errors.getvalue())


if __name__ == "__main__":
    unittest.main()
