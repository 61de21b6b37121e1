# SPDX-License-Identifier: Apache-2.0
"""PF settings and devices the whole way: sriov-admin, a real scheduler, real agents on simulated hosts."""
import json
import os
import subprocess
import unittest

from harness import BIN, Fixture, eventually


class Fleet(Fixture):
    """Two hosts with two NICs of 7 VFs and one NVMe drive each; each test has its own host or PF."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        profile = os.path.join(cls.s.folder, "profile.json")
        with open(profile, "w", encoding="ascii") as file:
            json.dump([{"model": "intel-82576", "weight": 1, "pfs": 2, "with": "qemu-nvme"}], file)
        cls.fleet = subprocess.Popen(
            [os.path.join(BIN, "sriov-fleet"), "--server", "http://" + cls.s.address, "--token-file", os.path.join(cls.s.data, "admin.token"),
             "--hosts", "2", "--profile", profile], stdout=subprocess.PIPE, text=True)
        assert "ready 2 hosts" in cls.fleet.stdout.readline(), "the fleet is not ready"

    @classmethod
    def tearDownClass(cls):
        cls.fleet.terminate()
        cls.fleet.wait(30)
        cls.fleet.stdout.close()
        super().tearDownClass()

    def nics(self, host):
        return [p["key"] for p in self.s.items(f"/v1/pfs?host={host}&kind=network")]

    def pf(self, host, key):
        return self.s.get(f"/v1/hosts/{host}/pfs/{key}")

    def set(self, host, key, *words, status=0):
        run = self.admin("pf", "set", host, key, *words, "--wait")
        self.assertEqual(run.returncode, status, run)
        return run

    def gone(self, *names):
        for name in names:
            self.assertEqual(self.s.call("DELETE", f"/v1/vms/{name}").status, 202)
        for name in names:
            eventually(lambda n=name: self.s.call("GET", f"/v1/vms/{n}").status == 404, 30, f"the end of {name}")

    def applied(self, name):
        eventually(lambda: self.condition(name)["status"] == "True", 30, f"{name} applied")

    def test_a_count_is_made_placed_on_and_changed_again(self):
        host = "sim-0001"
        key, other = self.nics(host)
        self.set(host, other, "--deny")
        self.set(host, key, "--num-vfs", "3")
        shown = self.pf(host, key)
        self.assertEqual((shown["configuration"]["phase"], shown["num_vfs"], shown["free_vf_count"]), ("applied", 3, 3))
        self.assertEqual([vf["index"] for vf in shown["vfs"]], [0, 1, 2])
        names = [f"count-{i}" for i in range(3)]
        for name in names:
            vm = self.create(name, [{"policy": {"vlan": 100}}], placement={"host": host}).body
            self.assertEqual(vm["ports"][0]["claim"]["pf"], key)
        for name in names:
            self.applied(name)
        self.assertEqual(self.unplaced("count-full", host)["reason"], "no_free_vf")
        self.assertIn("3 VFs claimed", self.set(host, key, "--num-vfs", "5", status=3).stderr)
        self.assertIn("7 VFs", self.set(host, key, "--num-vfs", "8", status=1).stderr)
        self.assertEqual(self.pf(host, key)["num_vfs"], 3)
        self.gone(*names)
        self.set(host, key, "--num-vfs", "7", "--vf-drivers-autoprobe", "off")
        shown = self.pf(host, key)
        self.assertEqual((shown["num_vfs"], shown["vf_drivers_autoprobe"]), (7, "off"))
        self.set(host, key, "--num-vfs", "observed", "--vf-drivers-autoprobe", "keep")
        self.assertEqual((self.pf(host, key)["num_vfs"], self.pf(host, key)["configuration"]), (7, None))
        types = [e["type"] for e in self.s.items("/v1/events") if e["host"] == host and key in e["message"]]
        self.assertIn("PfConfigured", types)
        self.set(host, other, "--allow")

    def test_a_PF_without_VFs_is_given_as_a_whole(self):
        host = "sim-0002"
        key = self.nics(host)[0]
        self.assertEqual(self.unplaced("whole-early", host, [{"vnic_type": "direct-physical"}])["reason"], "pf_has_vfs")
        self.set(host, key, "--num-vfs", "0")
        vm = self.create("whole", [{"vnic_type": "direct-physical"}], placement={"host": host}).body
        self.assertEqual((vm["ports"][0]["claim"]["pf"], vm["ports"][0]["claim"]["vf_index"]), (key, None))
        self.applied("whole")
        self.assertEqual(self.pf(host, key)["vm_name"], "whole")
        self.set(host, key, "--num-vfs", "7", status=3)
        self.gone("whole")
        self.set(host, key, "--num-vfs", "7")
        self.assertEqual(self.pf(host, key)["free_vf_count"], 7)

    def test_NVMe_VFs_are_claimed_and_freed(self):
        host = "sim-0001"
        key = self.s.items(f"/v1/pfs?host={host}&kind=storage")[0]["key"]
        self.set(host, key, "--allow")
        run = self.admin("vm", "create", "db", "--device", "kind=storage,name=disk0", "--host", host, "--wait")
        self.assertEqual(run.returncode, 0, run)
        device = self.s.get("/v1/vms/db")["devices"][0]
        self.assertEqual((device["claim"]["pf"], device["observed"]["phase"]), (key, "applied"))
        self.assertEqual([v["vm_name"] for v in self.s.items(f"/v1/vfs?host={host}&kind=storage&state=claimed")], ["db"])
        self.gone("db")
        eventually(lambda: {v["state"] for v in self.s.items(f"/v1/vfs?host={host}&kind=storage")} == {"free"}, 30, "all free")


if __name__ == "__main__":
    unittest.main()
