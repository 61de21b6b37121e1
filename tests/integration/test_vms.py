#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""VMs that run, as clients and operators see them: domains, power, paths of ports. What a host would do, the harness' agent says; the last class
has real agents on simulated hosts."""
import json
import os
import subprocess
import tempfile
import unittest

from harness import BIN, Fixture, eventually, pf

DOMAIN = "<domain type='kvm'>\n  <os><type arch='x86_64' machine='q35'>hvm</type></os>\n</domain>\n"
PAIR = {"name": "eth0", "physical_network": "physnet0", "fallback": "virtio", "guest_failover": "net_failover"}


class Mapped(Fixture):
    """Hosts whose bridge is mapped to physnet0."""

    def ready_host(self, name, **more):
        agent = super().ready_host(name, **more)
        answer = self.s.call("PATCH", f"/v1/hosts/{name}", {"networks": [{"device": "br0", "physical_network": "physnet0"}]})
        self.assertEqual(answer.status, 200, answer.body)
        return agent


class Managed(Mapped):
    def managed(self, name, host, ports=None, **more):
        return self.create(name, ports, lifecycle="managed", domain_xml=DOMAIN, placement={"host": host}, **more).body

    def test_a_managed_vm_runs_until_it_is_stopped(self):
        agent = self.ready_host("life1")
        vm = self.managed("life", "life1", [PAIR])
        self.assertEqual((vm["lifecycle"], vm["power"], vm["power_state"], vm["phase"], vm["domain_xml"]), ("managed", "on", None, None, DOMAIN))
        self.assertEqual(self.condition("life", "Running")["reason"], "WaitingForAgent")
        self.assertNotIn("domain_xml", self.s.items("/v1/vms?host=life1")[0])
        desired = agent.poll("0.0")
        told = next(each for each in desired["vms"] if each["id"] == vm["id"])
        self.assertEqual((told["want"], told["name"], told["power_on"], told["domain_xml"]), ("present", "life", True, DOMAIN))
        port = next(each for each in desired["ports"] if each["vm"] == vm["id"])
        self.assertEqual((port["network"], port["network_kind"], port["guest_failover"]), ("br0", "linux_bridge", "net_failover"))
        agent.sync()
        now = self.s.get("/v1/vms/life")
        self.assertEqual((now["power_state"], now["phase"]), ("running", "applied"))
        self.assertEqual({c["type"]: c["status"] for c in now["conditions"]}, {"PolicyApplied": "True", "Running": "True", "PathReady": "True"})
        way = now["ports"][0]["way"]
        self.assertEqual((way["path_in_use"], way["evidence"], way["held"]), ("vf", "vf_interrupts", False))

        answer = self.s.call("PATCH", "/v1/vms/life", {"power": "off"}, headers={"If-Match": f'"{now["generation"]}"'})
        self.assertEqual((answer.status, answer.body["power"], answer.body["phase"]), (202, "off", None))
        self.assertEqual(self.s.call("PATCH", "/v1/vms/life", {"power": "on", "generation": 1}).status, 409)
        agent.sync()
        self.assertEqual(self.s.get("/v1/vms/life")["power_state"], "shut_off")
        self.assertEqual(self.s.call("DELETE", "/v1/vms/life").status, 202)
        agent.apply(agent.poll("0.0"))
        agent.vms[vm["id"]]["phase"] = "pending"
        agent.report()
        self.assertEqual(self.s.get("/v1/vms/life")["state"], "deleting")
        agent.sync()
        self.assertEqual(self.s.call("GET", "/v1/vms/life").status, 404)
        types = [e["type"] for e in self.s.get("/v1/events?limit=1000")["items"] if e["vm"] == vm["id"]]
        for expected in ("VmStarted", "PortAccelerated", "VmStopping", "VmStopped", "VmDeleted"):
            self.assertIn(expected, types)

    def test_a_guest_that_ends_by_itself_is_told_with_its_reason(self):
        agent = self.ready_host("ends1")
        vm = self.managed("ends", "ends1", [])
        agent.sync()
        told = agent.poll("0.0")["vms"][0]
        agent.run(told, power_state="shut_off", condition={"type": "Running", "status": "False", "reason": "GuestShutDown", "field": "",
                                                            "message": "the guest ended by itself", "at": "2026-11-20T12:00:00.000Z"})
        agent.report()
        self.assertEqual(self.condition("ends", "Running")["reason"], "GuestShutDown")
        event = [e for e in self.s.get("/v1/events?limit=1000")["items"] if e["vm"] == vm["id"] and e["type"] == "VmStopped"]
        self.assertEqual([(e["reason"], "guest ended" in e["message"]) for e in event], [("GuestShutDown", True)])
        before = told["revision"]
        self.assertEqual(self.s.call("PATCH", "/v1/vms/ends", {"power": "on"}).status, 202)
        self.assertNotEqual(agent.poll("0.0")["vms"][0]["revision"], before)

    def test_domains_are_checked_before_anything_is_claimed(self):
        self.ready_host("check1")
        for more, field in (({"lifecycle": "managed"}, "domain_xml"), ({"domain_xml": DOMAIN}, "domain_xml"), ({"power": "on"}, "power"),
                            ({"lifecycle": "managed", "domain_xml": "<domain"}, "domain_xml"),
                            ({"lifecycle": "managed", "domain_xml": DOMAIN.replace("</domain>", "<vcpu>7</vcpu></domain>")}, "domain_xml"),
                            ({"lifecycle": "managed", "domain_xml": DOMAIN, "power": "maybe"}, "power"),
                            ({"lifecycle": "managed", "domain_xml": "x" * 49153}, "domain_xml")):
            body = self.create("checked", status=400, **more).body
            self.assertEqual(body["field"], field, body)
        self.assertEqual(self.s.call("GET", "/v1/vms/checked").status, 404)
        own = "11111111-2222-4333-8444-555555555555"
        with_uuid = DOMAIN.replace("<os>", f"<uuid>{own}</uuid><os>")
        self.assertEqual(self.create("own-id", lifecycle="managed", domain_xml=with_uuid, power="off").body["id"], own)

    def test_a_managed_vm_survives_a_restart(self):
        agent = self.ready_host("again1")
        vm = self.managed("again", "again1", [PAIR])
        agent.sync()
        self.s.call("POST", f"/v1/ports/{vm['ports'][0]['id']}/decelerate")
        self.s.kill()
        self.s.start()
        now = self.s.get("/v1/vms/again")
        self.assertEqual((now["domain_xml"], now["power"]), (DOMAIN, "on"))
        port = now["ports"][0]
        self.assertEqual((port["path"], port["decelerated"], port["network"], bool(port["claim"])), ("virtio", True, "br0", True))
        agent.incarnation, agent.sequence = agent.incarnation + 1, 0
        agent.sync()
        self.assertIsNone(self.s.get("/v1/vms/again")["ports"][0]["claim"])


class Paths(Mapped):
    def test_a_port_goes_onto_virtio_and_back(self):
        agent = self.ready_host("path1", pfs=[pf("0000:3b:00.0", 1)])
        agent.external_state = "running"
        vm = self.create("path", [PAIR], placement={"host": "path1"}).body
        port = vm["ports"][0]["id"]
        agent.sync()
        self.assertEqual(self.s.call("POST", f"/v1/ports/{port}/accelerate").status, 200)
        answer = self.s.call("POST", f"/v1/ports/{port}/decelerate")
        self.assertEqual((answer.status, answer.body["ports"][0]["path"]), (202, "virtio"))
        shown = self.s.get(f"/v1/ports/{port}")
        self.assertEqual((shown["degraded"], shown["degraded_reason"], shown["vm_name"], shown["host"]), (True, "decelerated", "path", "path1"))
        self.assertTrue(shown["claim"])  # until it is proven clean
        self.assertEqual(shown["way"]["path_in_use"], "vf")
        agent.sync()
        shown = self.s.get(f"/v1/ports/{port}")
        self.assertEqual((shown["claim"], shown["way"]["path_in_use"], shown["way"]["held"]), (None, "virtio", True))
        agent.sync()  # the VF is free
        other = self.create("other", [PAIR], placement={"host": "path1"}).body
        answer = self.s.call("POST", f"/v1/ports/{port}/accelerate")
        self.assertEqual((answer.status, answer.body["code"]), (409, "no_valid_host"))
        self.assertEqual([r["reason"] for r in answer.body["reasons"]], ["no_free_vf"])
        self.assertEqual(self.s.call("DELETE", f"/v1/vms/{other['id']}").status, 202)
        agent.sync()
        agent.sync()
        answer = self.s.call("POST", f"/v1/ports/{port}/accelerate")
        self.assertEqual((answer.status, answer.body["ports"][0]["degraded"]), (202, False))
        agent.sync()
        types = [e["type"] for e in self.s.get("/v1/events?limit=1000")["items"] if e["port"] == port]
        for expected in ("PortDecelerating", "PortDecelerated", "PortAccelerating", "PortAccelerated"):
            self.assertIn(expected, types)

    def test_ports_without_two_paths_are_refused(self):
        agent = self.ready_host("one1")
        vm = self.create("one", [{"fallback": "refuse"}, {"vnic_type": "normal", "physical_network": ""}], placement={"host": "one1"}).body
        for port in vm["ports"]:
            for way in ("accelerate", "decelerate"):
                answer = self.s.call("POST", f"/v1/ports/{port['id']}/{way}")
                self.assertEqual((answer.status, answer.body["code"]), (409, "conflict"), answer.body)
                self.assertTrue(answer.body["remedy"])
        for unknown in ("nobody", "01999999-0000-7000-8000-000000000001"):
            self.assertEqual(self.s.call("POST", f"/v1/ports/{unknown}/accelerate").status, 404)
            self.assertEqual(self.s.call("GET", f"/v1/ports/{unknown}").status, 404)
        vm = self.create("plain", [{**PAIR, "guest_failover": "none"}], placement={"host": "one1"}).body
        agent.external_state = "running"
        agent.sync()
        answer = self.s.call("POST", f"/v1/ports/{vm['ports'][0]['id']}/decelerate")
        self.assertEqual((answer.status, "while the VM is off" in answer.body["detail"]), (409, True))
        agent.external_state = "shut_off"
        agent.sync()
        self.assertEqual(self.s.call("POST", f"/v1/ports/{vm['ports'][0]['id']}/decelerate").status, 202)

    def test_a_vf_that_is_plugged_and_not_used_is_degraded(self):
        agent = self.ready_host("unused1")
        agent.external_state = "running"
        vm = self.create("unused", [PAIR], placement={"host": "unused1"}).body
        port = vm["ports"][0]["id"]
        agent.sync()
        way = agent.ports[port]["way"]
        way.update(vf_in_use=False, evidence="none", in_use_at=None, held=True)
        way["condition"].update(status="False", reason="VfNotInUse", message="the guest does not use the VF after 60 s")
        agent.report()
        shown = self.s.get(f"/v1/ports/{port}")
        self.assertEqual((shown["degraded"], shown["degraded_reason"], shown["way"]["path_in_use"]), (True, "VfNotInUse", "virtio"))
        self.assertEqual(self.condition("unused", "PathReady")["status"], "False")
        events = [e for e in self.s.get("/v1/events?limit=1000")["items"] if e["port"] == port and e["type"] == "PortDegraded"]
        self.assertEqual([e["reason"] for e in events], ["VfNotInUse"])
        agent.report()
        again = [e for e in self.s.get("/v1/events?limit=1000")["items"] if e["port"] == port and e["type"] == "PortDegraded"]
        self.assertEqual(len(again), 1)
        metrics = self.s.call("GET", "/metrics", check=False).raw.decode()
        self.assertIn('sriov_ports{host="unused1",path="vf",degraded="true"} 1', metrics)
        self.assertIn('sriov_ports{host="unused1",path="vf",degraded="false"} 0', metrics)

    def test_lists_of_ports_go_by_host_and_vm(self):
        self.ready_host("list1")
        vms = [self.create(f"list-{i}", [{}, {}], placement={"host": "list1"}).body for i in range(3)]
        every = {p["id"] for vm in vms for p in vm["ports"]}
        self.assertEqual({p["id"] for p in self.s.items("/v1/ports?host=list1", limit=2)}, every)
        self.assertEqual({p["id"] for p in self.s.items("/v1/ports?vm=list-1")}, {p["id"] for p in vms[1]["ports"]})
        self.assertEqual(self.s.call("GET", "/v1/ports?vm=nobody").status, 404)
        self.assertEqual(self.s.call("GET", "/v1/ports?marker=x").status, 400)


class Placing(Fixture):
    def test_a_network_without_vlans_takes_no_leg_with_a_vlan(self):
        agent = self.ready_host("novlan1")
        document = agent.document()
        document["inventory"]["networks"][0]["vlans"] = False
        self.assertEqual(agent.put(document).status, 200)
        tagged = {**PAIR, "physical_network": "", "policy": {"vlan": 7}}
        self.assertEqual(self.unplaced("tagged", "novlan1", [tagged])["reason"], "network_no_vlan")
        self.assertEqual(self.create("untagged", [{**tagged, "policy": {}}], placement={"host": "novlan1"}).status, 201)
        self.assertEqual(self.create("vf-only", [{"policy": {"vlan": 7}}], placement={"host": "novlan1"}).status, 201)

    def test_a_leg_beside_a_vf_has_the_same_policy_or_is_refused(self):
        self.ready_host("parity1")
        reason = self.unplaced("parity", "parity1", [{**PAIR, "physical_network": "", "policy": {"trust": "on"}}])
        self.assertEqual((reason["reason"], reason["field"]), ("policy_unsupported", "trust"))
        self.assertEqual(self.create("failover", [{"guest_failover": "bond"}], status=400).body["field"], "ports[0].guest_failover")

    def test_a_host_that_is_not_ready_gives_no_hardware(self):
        agent = self.ready_host("unready1")
        agent.checks = [{"name": "iommu", "status": "failed", "reason": "no IOMMU", "remedy": "boot with intel_iommu=on"}]
        agent.report()
        reason = self.unplaced("unready", "unready1", [{}])
        self.assertEqual(reason["reason"], "host_not_ready")
        self.assertIn("boot with intel_iommu=on", reason["example"]["message"])
        self.assertEqual(self.create("for-the-host", [{}], lifecycle="host", placement={"host": "unready1"}).status, 201)
        fallen = self.create("fallen", [{"fallback": "virtio"}], placement={"host": "unready1"}).body["ports"][0]
        self.assertEqual((fallen["path"], fallen["degraded_reason"].split(":")[0]), ("virtio", "host_not_ready"))
        agent.checks = []
        agent.report()
        self.assertEqual(self.create("ready-again", [{}], placement={"host": "unready1"}).status, 201)

    def test_macvtaps_sit_on_vfs_of_the_host_or_on_its_networks(self):
        agent = self.ready_host("macvtap1", pfs=[pf("0000:3b:00.0", 2)])
        port = {"vnic_type": "macvtap"}
        self.assertEqual(self.unplaced("tap", "macvtap1", [port])["reason"], "no_vf_netdev")
        self.assertEqual(self.unplaced("tap", "macvtap1", [{**port, "macvtap_mode": "bridge"}])["reason"], "no_network")
        agent.pfs[0]["vfs"][1]["netdev"] = "ens3f0v1"
        document = agent.document()
        document["inventory"]["networks"].append({"physical_network": "physnet9", "switch": "macvtap", "device": "ens9", "uplink": "", "mtu": 1500})
        self.assertEqual(agent.put(document).status, 200)
        made = self.create("tap", [{"name": "eth0"}, {**port, "name": "eth1"}, {**port, "name": "eth2", "macvtap_mode": "vepa"}],
                           placement={"host": "macvtap1"}).body["ports"]
        self.assertEqual([(p["claim"] or {}).get("vf_index") for p in made], [0, 1, None])
        self.assertEqual([p["macvtap_mode"] for p in made], [None, "passthrough", "vepa"])
        self.assertEqual((made[2]["network"], made[2]["network_switch"], made[2]["degraded"]), ("ens9", "macvtap", False))
        bad = self.create("bad", [{**port, "macvtap_mode": "bridge", "policy": {"vlan": 5}}], status=409).body
        self.assertEqual((bad["code"], bad["field"]), ("unsupported", "ports[0].policy.vlan"))


class CommandLine(Mapped):
    def test_a_vm_and_its_port_by_the_command_line(self):
        agent = self.ready_host("cli1")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "domain.xml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(DOMAIN)
            done = self.admin("vm", "create", "cli", "--domain-xml", path, "--lifecycle", "managed", "--port",
                              "name=eth0,physical_network=physnet0,fallback=virtio,guest_failover=net_failover", "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["domain_xml"], DOMAIN)
        agent.sync()
        done = self.admin("vm", "start", "cli", "--wait", "--timeout", "0")
        self.assertNotEqual(done.returncode, 0)
        agent.sync()
        done = self.admin("vm", "show", "cli")
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("running", "vf_interrupts", "PathReady", "0000:3b:10.0"):
            self.assertIn(word, done.stdout)
        done = self.admin("port", "decelerate", "cli/eth0", "-o", "json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["path"]), (0, "virtio"), done.stderr)
        agent.sync()
        agent.sync()  # it is told that the VF is no longer its
        done = self.admin("port", "decelerate", "cli/eth0", "--wait", "--timeout", "30")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.admin("port", "list", "--vm", "cli", "-o", "json")
        self.assertEqual([p["claim"] for p in json.loads(done.stdout)], [None])
        self.assertEqual(self.admin("port", "show", "cli/nothing").returncode, 1)
        self.assertEqual(self.admin("port", "accelerate", "cli/eth0").returncode, 0)
        agent.sync()
        self.assertEqual(self.admin("port", "accelerate", "cli/eth0", "--wait", "--timeout", "30").returncode, 0)
        self.assertEqual(self.admin("vm", "stop", "cli").returncode, 0)
        agent.sync()
        done = self.admin("vm", "show", "cli", "-o", "json")
        self.assertEqual(json.loads(done.stdout)["power_state"], "shut_off")


class Running(Fixture):
    """The whole way: a real agent on a simulated host, which has a libvirt and guests."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        profile = os.path.join(cls.s.folder, "profile.json")
        with open(profile, "w", encoding="ascii") as file:
            json.dump([{"model": "intel-82576", "weight": 1, "pfs": 2}], file)
        cls.fleet = subprocess.Popen(
            [os.path.join(BIN, "sriov-fleet"), "--server", "http://" + cls.s.address, "--token-file", os.path.join(cls.s.data, "admin.token"),
             "--hosts", "1", "--profile", profile], stdout=subprocess.PIPE, text=True)
        assert "ready 1 hosts" in cls.fleet.stdout.readline(), "the fleet is not ready"

    @classmethod
    def tearDownClass(cls):
        cls.fleet.terminate()
        cls.fleet.wait(30)
        cls.fleet.stdout.close()
        super().tearDownClass()

    def becomes(self, kind, status, reason):
        def said():
            found = [c for c in self.s.get("/v1/vms/moves")["conditions"] if c["type"] == kind]
            return found and (found[0]["status"], found[0]["reason"]) == (status, reason)
        eventually(said, 30, f"{kind} {status} with {reason}")
        return self.s.get("/v1/vms/moves")

    def order(self, method, path, body=None):
        answer = self.s.call(method, path, body)
        self.assertEqual(answer.status, 202, answer.body)

    def vfs(self):
        return [v for v in self.s.items("/v1/vfs") if v["vm_name"]]

    def test_a_managed_vm_runs_moves_and_goes(self):
        vm = self.create("moves", [PAIR], lifecycle="managed", domain_xml=DOMAIN).body
        port, way = vm["ports"][0]["id"], lambda now: now["ports"][0]["way"]
        now = self.becomes("PathReady", "True", "VfInUse")
        self.assertEqual((now["power_state"], now["phase"], way(now)["path_in_use"]), ("running", "applied", "vf"))
        self.assertEqual(self.condition("moves")["status"], "True")
        self.order("POST", f"/v1/ports/{port}/decelerate")
        now = self.becomes("PathReady", "True", "OnVirtio")
        self.assertEqual(way(now)["path_in_use"], "virtio")
        eventually(lambda: self.s.get(f"/v1/ports/{port}")["claim"] is None, 30, "the claim gone")
        eventually(lambda: not self.vfs(), 30, "the VF clean")
        self.order("POST", f"/v1/ports/{port}/accelerate")
        now = self.becomes("PathReady", "True", "VfInUse")
        self.assertEqual((way(now)["path_in_use"], len(self.vfs())), ("vf", 1))
        for power, state in (("off", "shut_off"), ("on", "running")):
            generation = self.s.get("/v1/vms/moves")["generation"]
            self.order("PATCH", "/v1/vms/moves", {"power": power, "generation": generation})
            eventually(lambda s=state: self.s.get("/v1/vms/moves")["power_state"] == s, 30, f"the VM {state}")
        self.becomes("PathReady", "True", "VfInUse")
        self.order("DELETE", "/v1/vms/moves")
        eventually(lambda: self.s.call("GET", "/v1/vms/moves").status == 404, 30, "the VM gone")
        eventually(lambda: {v["state"] for v in self.s.items("/v1/vfs")} == {"free"}, 30, "all VFs free")


if __name__ == "__main__":
    unittest.main()
