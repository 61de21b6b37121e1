# SPDX-License-Identifier: Apache-2.0
"""What a VM is given beside VFs of NICs: VFs of other devices, and PFs as a whole."""
import unittest

from harness import Fixture, pf

KEY = "0000:3b:00.0"


class Devices(Fixture):
    def nvme(self, key="0000:5e:00.0", vfs=2, **more):
        return pf(key, vfs, kind="storage", pci_class="010802", vendor="144d", driver="nvme", netdev="", device_id="a824", vf_device_id="a824", bridge_mode=None, **more)

    def test_a_device_is_claimed_and_freed(self):
        agent = self.ready_host("dev1", pfs=[pf(KEY, 2), self.nvme()])
        devices = [{"name": "disk0", "kind": "storage", "require": {"vendor_id": "144d", "device_id": "a824"}}]
        vm = self.create("dev1-vm", [{}], devices=devices, placement={"host": "dev1"}).body
        device = vm["devices"][0]
        self.assertEqual((device["name"], device["kind"], device["require"]), ("disk0", "storage", devices[0]["require"]))
        self.assertEqual((device["claim"]["pf"], device["claim"]["vendor_id"], device["claim"]["device_id"]), ("0000:5e:00.0", "144d", "a824"))
        self.assertEqual([p["name"] for p in vm["ports"]], ["eth0"])
        bus, slot = (int(device["claim"]["vf"].split(":")[i][:2], 16) for i in (1, 2))
        self.assertIn(f"bus='0x{bus:02x}' slot='0x{slot:02x}'", device["libvirt_xml"])
        self.assertIn(device["libvirt_xml"], vm["libvirt_xml"])
        self.assertEqual(vm["libvirt_xml"].count("<hostdev mode='subsystem' type='pci' managed='yes'>"), 2)
        wanted = [p for p in agent.poll("0.0")["ports"] if p["device"]]
        self.assertEqual([(p["id"], p["policy"]) for p in wanted], [(device["id"], {})])
        agent.sync()
        self.assertEqual(self.condition("dev1-vm")["status"], "True")
        self.assertEqual(self.s.get("/v1/vms/dev1-vm")["devices"][0]["observed"]["phase"], "applied")
        vfs = {v["index"]: v for v in self.s.items("/v1/vfs?host=dev1&kind=storage")}
        claimed = vfs[device["claim"]["vf_index"]]
        self.assertEqual((claimed["state"], claimed["vm_name"], claimed["port_name"]), ("claimed", "dev1-vm", "disk0"))
        self.s.call("DELETE", "/v1/vms/dev1-vm")
        agent.sync()
        self.assertEqual(self.s.call("GET", "/v1/vms/dev1-vm").status, 404)
        self.assertEqual({v["state"] for v in self.s.items("/v1/vfs?host=dev1")}, {"free"})

    def test_what_no_host_has_is_told(self):
        self.ready_host("dev2", pfs=[pf(KEY, 2), self.nvme(vfs=1)])
        self.unplaced("dev2-gpu", "dev2", [], devices=[{"kind": "display"}])
        self.assertIn("8086", self.unplaced("dev2-other", "dev2", [], devices=[{"kind": "storage", "require": {"vendor_id": "8086"}}])["example"]["message"])
        self.assertTrue(self.unplaced("dev2-two", "dev2", [], devices=[{"kind": "storage"}, {"kind": "storage"}])["example"]["message"])
        vm = self.create("dev2-one", [], devices=[{"kind": "storage"}], placement={"host": "dev2"}).body
        self.assertEqual((vm["devices"][0]["name"], vm["ports"]), ("dev0", []))

    def test_bad_devices_are_named(self):
        self.ready_host("dev3", pfs=[self.nvme()])
        for device, code, field in (({}, "invalid", "devices[0].kind"), ({"kind": "network"}, "invalid", "devices[0].kind"),
                                    ({"kind": "disk"}, "invalid", "devices[0].kind"), ({"kind": "storage", "mac": "52:54:00:00:00:01"}, "unknown_field", "devices[0].mac"),
                                    ({"kind": "storage", "policy": {"vlan": 1}}, "unknown_field", "devices[0].policy"),
                                    ({"kind": "storage", "name": "a b"}, "invalid", "devices[0].name"),
                                    ({"kind": "storage", "require": {"vendor_id": "144"}}, "invalid", "devices[0].require.vendor_id"),
                                    ({"kind": "storage", "require": {"capabilities": ["vlan"]}}, "unknown_field", "devices[0].require.capabilities"),
                                    ("disk", "invalid", "devices[0]")):
            with self.subTest(device=device):
                body = self.create("dev3-vm", [], devices=[device], status=400).body
                self.assertEqual((body["code"], body["field"]), (code, field), body)
                self.assertTrue(body["remedy"])
        body = self.create("dev3-vm", [{}] * 10, devices=[{"kind": "storage"}] * 7, status=400).body
        self.assertEqual((body["code"], body["field"]), ("invalid", "devices"))

    def test_a_whole_PF(self):
        plain = pf("0000:3c:00.0", 0, total_vfs=0, mac="3c:fd:fe:00:00:77")
        agent = self.ready_host("whole1", pfs=[plain])
        vm = self.create("whole1-vm", [{"vnic_type": "direct-physical"}], placement={"host": "whole1"}).body
        port = vm["ports"][0]
        self.assertEqual((port["claim"]["pf"], port["claim"]["vf_index"], port["claim"]["vf"]), (plain["key"], None, plain["key"]))
        self.assertEqual(port["mac"], plain["mac"])
        self.assertIn("bus='0x3c' slot='0x00' function='0x0'", port["libvirt_xml"])
        shown = self.s.get(f"/v1/hosts/whole1/pfs/{plain['key']}")
        self.assertEqual((shown["vm_name"], shown["port_name"]), ("whole1-vm", "eth0"))
        self.create("whole1-two", [{"vnic_type": "direct-physical"}], placement={"host": "whole1"}, status=409)
        self.s.call("DELETE", "/v1/vms/whole1-vm")
        agent.sync()
        self.assertIsNone(self.s.get(f"/v1/hosts/whole1/pfs/{plain['key']}")["vm_name"])

    def test_a_PF_in_use_is_not_given_away(self):
        used = pf("0000:3c:00.0", 0, total_vfs=0, used_by="bridge br0")
        self.ready_host("whole2", pfs=[used])
        self.assertIn("br0", self.unplaced("whole2-vm", "whole2", [{"vnic_type": "direct-physical"}])["example"]["message"])
        for port in ({"policy": {"vlan": 5}}, {"fallback": "virtio"}, {"guest_failover": "net_failover"}):
            self.create("whole2-vm", [{"vnic_type": "direct-physical", **port}], placement={"host": "whole2"}, status=400)

    def test_sriov_admin_asks_for_devices(self):
        self.ready_host("cli5", pfs=[self.nvme()])
        run = self.admin("vm", "create", "cli5-vm", "--device", "kind=storage,vendor_id=144d,name=disk0", "--host", "cli5")
        self.assertEqual(run.returncode, 0, run)
        self.assertRegex(run.stdout, r"(?m)^disk0 +storage +0000:5e:00.0 ")
        self.assertNotIn("PORT ", run.stdout)
        run = self.admin("vm", "create", "cli5-bad", "--device", "kind=storage,vlan=4")
        self.assertEqual((run.returncode, "unknown key 'vlan'" in run.stderr), (1, True), run)


if __name__ == "__main__":
    unittest.main()
