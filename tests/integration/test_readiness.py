# SPDX-License-Identifier: Apache-2.0
"""What a host has and lacks for its VFs to work: over REST, in the metrics, by sriov-admin."""
import json
import os
import re
import subprocess
import unittest

from harness import BIN, ROOT, Fixture, eventually


def check(name, status="ok", reason="is as it should be", remedy=""):
    return {"name": name, "status": status, "reason": reason, "remedy": remedy}


IOMMU = check("iommu", "failed", "no IOMMU groups: the kernel found no IOMMU", "turn VT-d on in the firmware and add intel_iommu=on")
REMAPPING = check("interrupt_remapping", "warning", "interrupts are not remapped", "add intremap=on")
ARI = check("ari", "unknown", "the configuration space could not be read", "run the agent with CAP_SYS_ADMIN")


class Readiness(Fixture):
    def host(self, name, *checks):
        agent = self.ready_host(name)
        agent.checks = list(checks)
        agent.report()
        return agent

    def test_checks_are_shown_with_reason_and_remedy(self):
        self.host("ready1", check("vfio_pci"), REMAPPING, IOMMU, ARI)
        shown = self.s.get("/v1/hosts/ready1/readiness")
        self.assertEqual(shown["checks"], [check("vfio_pci"), REMAPPING, IOMMU, ARI])
        self.assertEqual((shown["host"], shown["status"]), ("ready1", "failed"))
        self.assertEqual((shown["libvirt_version"], shown["qemu_version"], shown["kernel"]), ("9.0.0", "7.2.0", "6.1.0-test"))
        self.assertTrue(shown["reported_at"])
        host = self.s.get("/v1/hosts/ready1")
        self.assertEqual(host["readiness"], {"status": "failed", "not_ok": ["interrupt_remapping", "iommu", "ari"]})

    def test_the_worst_decides(self):
        agent = self.host("ready2")
        for checks, worst in (([check("a"), check("b")], "ok"), ([check("a"), ARI], "unknown"), ([ARI, REMAPPING], "warning"),
                              ([REMAPPING, IOMMU, check("a")], "failed"), ([], "unknown")):
            agent.checks = checks
            agent.report()
            self.assertEqual(self.s.get("/v1/hosts/ready2/readiness")["status"], worst, checks)
            self.assertEqual(self.s.get("/v1/hosts/ready2")["readiness"]["status"], worst, checks)

    def test_without_a_report_it_is_unknown(self):
        self.s.enroll("ready3")
        shown = self.s.get("/v1/hosts/ready3/readiness")
        self.assertEqual(shown, {"host": "ready3", "status": "unknown", "checks": [], "libvirt_version": None, "qemu_version": None,
                                 "kernel": None, "reported_at": None})
        answer = self.s.call("GET", "/v1/hosts/nobody/readiness")
        self.assertEqual((answer.status, answer.body["code"], answer.body["field"]), (404, "not_found", "host"))

    def test_each_check_is_a_metric(self):
        self.host("ready4", check("vfio_pci"), REMAPPING, IOMMU, ARI)
        lines = self.s.raw("GET", "/metrics").raw.decode().splitlines()
        for name, value in (("vfio_pci", 0), ("interrupt_remapping", 1), ("iommu", 2), ("ari", 3)):
            self.assertIn(f'sriov_host_readiness{{host="ready4",check="{name}"}} {value}', lines)

    def test_sriov_admin_shows_one_host_and_says_what_failed(self):
        self.host("ready5", check("vfio_pci"), IOMMU, ARI)
        run = self.admin("host", "readiness", "ready5")
        self.assertEqual(run.returncode, 3, run)
        rows = [line.split() for line in run.stdout.splitlines()]
        self.assertEqual([row[:2] for row in rows[:4]], [["CHECK", "STATUS"], ["vfio_pci", "ok"], ["iommu", "failed"], ["ari", "unknown"]])
        self.assertIn(IOMMU["remedy"], run.stdout)
        self.assertIn("host 'ready5' is not ready: iommu failed", run.stderr)
        run = self.admin("host", "readiness", "ready5", "-o", "json")
        self.assertEqual((run.returncode, json.loads(run.stdout)["status"]), (3, "failed"))
        run = self.admin("host", "readiness", "ready5", "-o", "value", "-c", "CHECK", "-c", "STATUS")
        self.assertEqual(run.stdout, "vfio_pci\tok\niommu\tfailed\nari\tunknown\n")
        self.host("ready6", check("vfio_pci"), REMAPPING)
        run = self.admin("host", "readiness", "ready6")
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    def test_sriov_admin_shows_all_hosts_with_their_worst(self):
        self.host("ready7", check("vfio_pci"), REMAPPING, IOMMU)
        self.host("ready8", check("vfio_pci"))
        run = self.admin("host", "readiness", "-o", "value", "-c", "HOST", "-c", "STATUS", "-c", "NOT_OK")
        self.assertEqual(run.returncode, 3)
        self.assertIn("ready7\tfailed\tinterrupt_remapping, iommu\n", run.stdout)
        self.assertIn("ready8\tok\t-\n", run.stdout)
        self.assertIn("ready7", run.stderr)
        run = self.admin("host", "readiness", "nobody")
        self.assertEqual(run.returncode, 1)


class RealAgent(Fixture):
    def test_this_machines_checks_are_those_of_the_manual_and_say_what_to_do(self):
        token = os.path.join(self.s.folder, "token")
        with open(os.open(token, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(self.s.enroll("here1"))
        with open(os.path.join(self.s.folder, "agent.log"), "wb") as log:
            agent = subprocess.Popen([os.path.join(BIN, "sriov-agent"), "run", "--server", "http://" + self.s.address, "--name", "here1",
                                      "--token-file", token, "--state-dir", os.path.join(self.s.folder, "state"),
                                      "--hook-socket", "none"], stderr=log)
        try:
            checks = eventually(lambda: self.s.get("/v1/hosts/here1/readiness")["checks"], 20, "the agent's report")
        finally:
            agent.terminate()
            agent.wait(10)
        with open(f"{ROOT}/docs/operations.md", encoding="utf-8") as file:
            part = file.read().split("| check | what must be so |")[1].split("\n\n")[0]
        listed = [name for row in re.findall(r"^\| (`.*?) \|", part, re.M) for name in re.findall(r"`(\w+)`", row)]
        self.assertEqual({c["name"] for c in checks}, set(listed))
        for each in checks:
            self.assertTrue(each["reason"], each)
            if each["status"] in ("failed", "warning"):
                self.assertTrue(each["remedy"], each)


if __name__ == "__main__":
    unittest.main()
