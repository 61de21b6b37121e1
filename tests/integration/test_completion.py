# SPDX-License-Identifier: Apache-2.0
"""The completion of sriov-admin for bash, as bash itself calls it."""
import os
import subprocess
import unittest

from harness import BIN, ROOT

SCRIPT = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_sriov_admin
printf '%s\\n' "${COMPREPLY[@]}"
"""


class Completion(unittest.TestCase):
    def complete(self, *words):
        """What is offered for the last of the words."""
        run = subprocess.run(["bash", "-c", SCRIPT, "bash", ROOT + "/packaging/completion/sriov-admin.bash", "sriov-admin", *words],
                             env={**os.environ, "PATH": BIN + ":" + os.environ["PATH"]}, capture_output=True, text=True, timeout=30, check=True)
        self.assertEqual(run.stderr, "")
        return run.stdout.split()

    def test_nouns_verbs_and_options(self):
        self.assertEqual(self.complete(""), ["event", "host", "pf", "port", "server", "token", "vf", "vm"])
        self.assertEqual(self.complete("host", "re"), ["readiness"])
        self.assertEqual(self.complete("pf", ""), ["list", "show", "capabilities", "set"])
        self.assertEqual(self.complete("pf", "set", "h1", "p1", "--n"), ["--num-vfs"])
        self.assertIn("--wait", self.complete("pf", "set", "h1", "p1", "--"))
        self.assertIn("--device", self.complete("vm", "create", "web-1", "--dev"))

    def test_values_of_options(self):
        self.assertEqual(self.complete("pf", "set", "h1", "p1", "--bridge-mode", ""), ["veb", "vepa", "keep"])
        self.assertEqual(self.complete("pf", "set", "h1", "p1", "--vf-drivers-autoprobe", "o"), ["on", "off"])
        self.assertEqual(self.complete("pf", "set", "h1", "p1", "--num-vfs", ""), ["observed"])
        self.assertEqual(self.complete("vm", "list", "--output", "j"), ["json"])


if __name__ == "__main__":
    unittest.main()
