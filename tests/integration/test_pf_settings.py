# SPDX-License-Identifier: Apache-2.0
"""What an operator sets of a PF: VF counts, modes, the operator's word, the bandwidth ratio; how far the host is with it."""
import json
import threading
import unittest

from harness import FIELDS, TRAITS, Agent, Fixture, pf

KEY = "0000:3b:00.0"


class Settings(Fixture):
    def patch(self, host, status=200, key=KEY, **members):
        answer = self.s.call("PATCH", f"/v1/hosts/{host}/pfs/{key}", members)
        self.assertEqual(answer.status, status, answer.body)
        return answer.body

    def refused(self, host, status, code, field, key=KEY, **members):
        body = self.patch(host, status, key, **members)
        self.assertEqual((body["code"], body.get("field")), (code, field), body)
        self.assertTrue(body["remedy"], body)
        return body

    def show(self, host, key=KEY):
        return self.s.get(f"/v1/hosts/{host}/pfs/{key}")

    def events(self, host, kind):
        return [e for e in self.s.items("/v1/events") if e["host"] == host and e["type"] == kind]


class Counts(Settings):
    def phases(self, host):
        """How many PFs the metrics have in which phase."""
        lines = self.s.raw("GET", "/metrics").raw.decode().splitlines()
        start = f'sriov_pf_configurations{{host="{host}",phase="'
        found = {line[len(start):].split('"')[0]: int(line.split()[-1]) for line in lines if line.startswith(start)}
        self.assertIn(len(found), (0, 7))
        return {phase: count for phase, count in found.items() if count}

    def test_a_count_is_wanted_carried_out_and_placed_on(self):
        agent = self.ready_host("count1", pfs=[pf(KEY, 2, total_vfs=8)])
        shown = self.patch("count1", num_vfs=4, vf_drivers_autoprobe="off", bridge_mode="vepa")
        self.assertEqual((shown["num_vfs"], shown["bridge_mode"], shown["vf_drivers_autoprobe"]), (2, "veb", "on"))
        settings, configuration = shown["settings"], shown["configuration"]
        self.assertEqual((settings["num_vfs"], settings["vf_drivers_autoprobe"], settings["bridge_mode"]), (4, "off", "vepa"))
        self.assertEqual((configuration["phase"], configuration["condition"]["reason"]), ("pending", "WaitingForAgent"))
        self.assertEqual(configuration["revision"], settings["revision"])
        self.assertEqual(self.unplaced("count1-early", "count1")["reason"], "pf_changing")

        desired = agent.poll("0.0")
        self.assertEqual(desired["pfs"], [{"key": KEY, "allowed": True, "num_vfs": 4, "vf_drivers_autoprobe": "off", "bridge_mode": "vepa",
                                           "revision": settings["revision"]}])
        agent.configure(desired["pfs"][0], "confirming", "Confirming", "waits for the scheduler")
        agent.report()
        self.assertEqual(self.show("count1")["configuration"]["phase"], "confirming")
        self.assertEqual(self.phases("count1"), {"confirming": 1})
        agent.apply(desired)
        agent.report()
        shown = self.show("count1")
        self.assertEqual((shown["configuration"]["phase"], shown["num_vfs"], shown["free_vf_count"]), ("applied", 4, 4))
        self.assertEqual((shown["bridge_mode"], shown["vf_drivers_autoprobe"]), ("vepa", "off"))
        self.assertEqual(self.phases("count1"), {"applied": 1})
        for i in range(4):
            self.create(f"count1-{i}", placement={"host": "count1"})
        self.create("count1-full", placement={"host": "count1"}, status=409)
        self.assertEqual([e["reason"] for e in self.events("count1", "PfConfigured")], ["Applied"])

    def test_null_gives_it_back(self):
        agent = self.ready_host("null1", pfs=[pf(KEY, 2, total_vfs=8)])
        self.patch("null1", num_vfs=2, vf_drivers_autoprobe="off", bridge_mode="vepa", tx_ratio_percent=150)
        self.assertEqual(self.show("null1")["settings"]["tx_ratio_percent"], 150)
        shown = self.patch("null1", num_vfs=None, vf_drivers_autoprobe=None, bridge_mode=None, tx_ratio_percent=None)
        settings = shown["settings"]
        self.assertEqual((settings["num_vfs"], settings["vf_drivers_autoprobe"], settings["bridge_mode"], settings["tx_ratio_percent"]),
                         (None, None, None, 100))
        self.assertIsNone(shown["configuration"])
        self.assertEqual(self.phases("null1"), {})
        self.assertEqual([p["num_vfs"] for p in agent.poll("0.0")["pfs"]], [None])
        self.assertEqual((settings["allowed"], settings["physical_network"]), (True, "physnet0"))

    def test_above_the_firmwares_limit_the_limit_is_told(self):
        self.ready_host("limit1", pfs=[pf(KEY, 2, total_vfs=7)])
        for count in (8, 1024, 65535):
            self.assertIn("7 VFs", self.refused("limit1", 400, "invalid", "num_vfs", num_vfs=count)["detail"])
        self.assertIsNone(self.show("limit1")["settings"]["num_vfs"])
        self.patch("limit1", num_vfs=7)

    def test_never_under_a_claim(self):
        agent = self.ready_host("claim1", pfs=[pf(KEY, 4, total_vfs=8)])
        self.create("claim1-vm", placement={"host": "claim1"})
        for count in (0, 3, 8):
            self.assertIn("1 VFs claimed", self.refused("claim1", 409, "in_use", "num_vfs", num_vfs=count)["detail"])
        self.patch("claim1", num_vfs=4)
        self.s.call("DELETE", "/v1/vms/claim1-vm")
        self.refused("claim1", 409, "in_use", "num_vfs", num_vfs=8)
        agent.sync()
        self.patch("claim1", num_vfs=8)

    def test_never_under_another_user(self):
        agent = self.ready_host("extern1", pfs=[pf(KEY, 4, total_vfs=8)])
        agent.pfs[0]["vfs"][2].update(state="external", reason="domain 'db' uses it")
        agent.report()
        self.assertIn("1 used by something else", self.refused("extern1", 409, "in_use", "num_vfs", num_vfs=8)["detail"])

    def test_the_management_PF_is_never_changed(self):
        Agent(self.s, "mgmt1", pfs=[pf(KEY, 4, management=True, management_reason="default route")]).sync()
        for members in ({"num_vfs": 2}, {"vf_drivers_autoprobe": "off"}, {"bridge_mode": "vepa"}, {"allowed": True}):
            field = next(iter(members))
            self.assertIn("default route", self.refused("mgmt1", 409, "conflict", field, **members)["detail"])
        self.assertIsNone(self.show("mgmt1")["configuration"])

    def test_what_a_device_does_not_have_is_refused(self):
        plain = pf("0000:3c:00.0", 0, total_vfs=0)
        nvme = pf("0000:3d:00.0", 2, kind="storage", pci_class="010802", netdev="", bridge_mode=None)
        Agent(self.s, "lack1", pfs=[plain, nvme]).sync()
        self.refused("lack1", 409, "conflict", "num_vfs", key=plain["key"], num_vfs=1)
        self.refused("lack1", 409, "conflict", "vf_drivers_autoprobe", key=plain["key"], vf_drivers_autoprobe="on")
        self.refused("lack1", 409, "conflict", "bridge_mode", key=nvme["key"], bridge_mode="veb")
        self.patch("lack1", key=nvme["key"], num_vfs=1)

    def test_rejected_stays_until_it_is_said_again(self):
        agent = self.ready_host("reject1", pfs=[pf(KEY, 2, total_vfs=8)])
        self.patch("reject1", num_vfs=6)
        wanted = agent.poll("0.0")["pfs"][0]
        agent.configure(wanted, "rejected", "SchedulerSilent", "undone: the scheduler was silent for 30 s")
        agent.report()
        shown = self.show("reject1")
        self.assertEqual((shown["configuration"]["phase"], shown["configuration"]["condition"]["reason"]), ("rejected", "SchedulerSilent"))
        self.assertEqual(len(self.events("reject1", "PfRejected")), 1)
        self.create("reject1-vm", placement={"host": "reject1"})
        self.assertEqual(agent.poll("0.0")["pfs"][0]["revision"], wanted["revision"])
        self.assertEqual(self.patch("reject1", tx_ratio_percent=90)["configuration"]["phase"], "rejected")
        self.s.call("DELETE", "/v1/vms/reject1-vm")
        agent.apply({**agent.poll("0.0"), "pfs": []})
        agent.report()
        self.assertEqual(self.patch("reject1", num_vfs=6)["configuration"]["phase"], "pending")
        self.assertNotEqual(agent.poll("0.0")["pfs"][0]["revision"], wanted["revision"])
        agent.apply(agent.poll("0.0"))
        agent.report()
        self.assertEqual(self.show("reject1")["num_vfs"], 6)

    def test_settings_survive_the_scheduler(self):
        self.ready_host("keep1", pfs=[pf(KEY, 2, total_vfs=8)])
        self.patch("keep1", num_vfs=5, bridge_mode="vepa", tx_ratio_percent=120, capabilities={"trust": {"support": "unsupported"}})
        before = self.s.get("/v1/hosts/keep1")["generation"]
        self.s.kill()
        self.s.start()
        self.assertEqual(self.s.get("/v1/hosts/keep1")["generation"], before)
        agent = Agent(self.s, "keep1", pfs=[pf(KEY, 2, total_vfs=8)])
        agent.machine = self.s.get("/v1/hosts/keep1")["id"]
        agent.incarnation = 2
        agent.report()
        settings = self.show("keep1")["settings"]
        self.assertEqual((settings["num_vfs"], settings["bridge_mode"], settings["tx_ratio_percent"]), (5, "vepa", 120))
        self.assertEqual(settings["capabilities"]["trust"]["support"], "unsupported")

    def test_bad_members_are_named(self):
        self.ready_host("bad1", pfs=[pf(KEY, 2)])
        word = {"support": "supported"}
        for members, code, field in (
                ({"num_vfs": -1}, "invalid", "num_vfs"), ({"num_vfs": 65536}, "invalid", "num_vfs"), ({"num_vfs": "4"}, "invalid", "num_vfs"),
                ({"num_vfs": 1.5}, "invalid", "num_vfs"), ({"vf_drivers_autoprobe": True}, "invalid", "vf_drivers_autoprobe"),
                ({"vf_drivers_autoprobe": "keep"}, "invalid", "vf_drivers_autoprobe"), ({"bridge_mode": "evb"}, "invalid", "bridge_mode"),
                ({"tx_ratio_percent": 0}, "invalid", "tx_ratio_percent"), ({"tx_ratio_percent": 10001}, "invalid", "tx_ratio_percent"),
                ({"reserve": True}, "unknown_field", "reserve"), ({"capabilities": []}, "invalid", "capabilities"),
                ({"capabilities": {"colour": word}}, "unknown_field", "capabilities.colour"),
                ({"capabilities": {"vlan": "supported"}}, "invalid", "capabilities.vlan"),
                ({"capabilities": {"vlan": {}}}, "invalid", "capabilities.vlan.support"),
                ({"capabilities": {"vlan": {"support": "unknown"}}}, "invalid", "capabilities.vlan.support"),
                ({"capabilities": {"vlan": {"support": "maybe"}}}, "invalid", "capabilities.vlan.support"),
                ({"capabilities": {"vlan": {**word, "max": 4095}}}, "invalid", "capabilities.vlan.max"),
                ({"capabilities": {"vlan": {**word, "max": 0}}}, "invalid", "capabilities.vlan.max"),
                ({"capabilities": {"trust": {**word, "max": 1}}}, "invalid", "capabilities.trust.max"),
                ({"capabilities": {"vlan": {**word, "source": "operator"}}}, "unknown_field", "capabilities.vlan.source"),
                ({"capabilities": {"vlan": {**word, "needs": ["link_up"]}}}, "invalid", "capabilities.vlan.needs"),
                ({"capabilities": {"vlan": {"support": "conditional"}}}, "invalid", "capabilities.vlan.needs"),
                ({"capabilities": {"vlan": {"support": "conditional", "needs": ["moon"]}}}, "invalid", "capabilities.vlan.needs[0]"),
                ({"capabilities": {"vlan": {"support": "conditional", "needs": [7]}}}, "invalid", "capabilities.vlan.needs[0]"),
                ({"capabilities": {"flr": {**word, "note": 7}}}, "invalid", "capabilities.flr.note")):
            with self.subTest(members=members):
                self.refused("bad1", 400, code, field, **members)
        self.assertEqual(self.show("bad1")["settings"]["capabilities"], {})


class Words(Settings):
    def test_a_word_changes_placement_and_its_reasons(self):
        unknown = pf(KEY)
        unknown["capabilities"]["min_tx_rate_mbps"].update(support="unknown", source="none")
        self.ready_host("word1", pfs=[unknown])
        port = {"policy": {"min_tx_rate_mbps": 100}}
        refused = self.unplaced("word1-a", "word1", [port])
        self.assertEqual((refused["reason"], refused["field"]), ("policy_unsupported", "min_tx_rate_mbps"))
        shown = self.patch("word1", capabilities={"min_tx_rate_mbps": {"support": "supported", "max": 200, "note": "tried by hand"}})
        self.assertEqual(shown["capabilities"]["min_tx_rate_mbps"],
                         {"support": "supported", "source": "operator", "needs": [], "max": 200, "note": "tried by hand"})
        self.create("word1-b", [port], placement={"host": "word1"})
        refused = self.unplaced("word1-c", "word1", [{"policy": {"min_tx_rate_mbps": 201}}])
        self.assertEqual(refused["field"], "min_tx_rate_mbps")
        self.assertIn("maximum", refused["example"]["message"])
        self.patch("word1", capabilities={"min_tx_rate_mbps": {"support": "unsupported", "note": "drops under load"}})
        refused = self.unplaced("word1-d", "word1", [port])
        self.assertIn("drops under load", refused["example"]["message"])
        shown = self.patch("word1", capabilities={"min_tx_rate_mbps": None})
        self.assertEqual(shown["capabilities"]["min_tx_rate_mbps"]["support"], "unknown")

    def test_a_conditional_word_asks_for_the_link(self):
        agent = self.ready_host("word2", pfs=[pf(KEY, 8)])
        self.patch("word2", capabilities={"max_tx_rate_mbps": {"support": "conditional", "needs": ["link_up", "link_speed"]}})
        port = {"policy": {"max_tx_rate_mbps": 500}}
        self.create("word2-up", [port], placement={"host": "word2"})
        agent.apply({**agent.poll("0.0")})
        agent.pfs[0]["link"] = {"up": False, "speed_mbps": None}
        agent.report()
        refused = self.unplaced("word2-down", "word2", [port])
        self.assertEqual(refused["field"], "max_tx_rate_mbps", refused)
        self.assertIn("link", refused["example"]["message"])

    def test_words_are_changed_one_by_one(self):
        self.ready_host("word3")
        self.patch("word3", capabilities={"trust": {"support": "unsupported"}, "flr": {"support": "supported"}})
        self.patch("word3", capabilities={"trust": None, "vlan_qos": {"support": "conditional", "needs": ["link_up"], "max": 3}})
        words = self.show("word3")["settings"]["capabilities"]
        self.assertEqual({name: word["support"] for name, word in words.items()}, {"flr": "supported", "vlan_qos": "conditional"})
        self.assertEqual((words["vlan_qos"]["needs"], words["vlan_qos"]["max"]), (["link_up"], 3))
        self.patch("word3", capabilities={})
        self.assertEqual(self.show("word3")["settings"]["capabilities"], words)
        effective = self.show("word3")["capabilities"]
        self.assertEqual((effective["trust"]["source"], effective["flr"]["source"]), ("probed", "operator"))

    def test_many_at_once_lose_no_word(self):
        self.ready_host("word4")
        names = (*FIELDS, *TRAITS)
        threads = [threading.Thread(target=self.patch, args=("word4",), kwargs={"capabilities": {name: {"support": "unsupported", "note": name}}})
                   for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual({n: w["note"] for n, w in self.show("word4")["settings"]["capabilities"].items()}, {n: n for n in names})

    def test_a_word_against_a_probes_proof_is_refused(self):
        disproved = pf(KEY)
        disproved["capabilities"]["trust"].update(support="unsupported", note="EOPNOTSUPP when set")
        self.ready_host("word5", pfs=[disproved])
        self.assertIn("EOPNOTSUPP", self.refused("word5", 409, "conflict", "capabilities.trust",
                                                 capabilities={"trust": {"support": "supported"}})["detail"])


class Bandwidth(Settings):
    def metric(self, name, host):
        line = f'{name}{{host="{host}",pf="{KEY}"}} '
        found = [row for row in self.s.raw("GET", "/metrics").raw.decode().splitlines() if row.startswith(line)]
        return int(found[0].split()[-1]) if found else None

    def promise(self, host):
        return tuple(self.show(host)["bandwidth"].values())

    def test_a_slower_link_over_promises_and_says_what(self):
        agent = self.ready_host("over1", pfs=[pf(KEY, 8, speed=10000)])
        for i in range(2):
            self.create(f"over1-{i}", [{"policy": {"min_tx_rate_mbps": 4000}}], placement={"host": "over1"})
        agent.sync()
        self.assertEqual(self.promise("over1"), (8000, 10000, 0))
        agent.pfs[0]["link"]["speed_mbps"] = 1000
        agent.report()
        self.assertEqual(self.promise("over1"), (8000, 1000, 7000))
        said = self.events("over1", "BandwidthOverPromised")
        self.assertEqual(len(said), 1)
        for word in ("2 ports", "8000 Mbit/s", "1000 Mbit/s"):
            self.assertIn(word, said[0]["message"])
        self.assertEqual(self.metric("sriov_pf_tx_over_promised_bytes_per_second", "over1"), 7000 * 125000)
        self.assertEqual(self.metric("sriov_pf_tx_promisable_bytes_per_second", "over1"), 1000 * 125000)
        self.assertEqual(self.metric("sriov_pf_tx_reserved_bytes_per_second", "over1"), 8000 * 125000)
        self.create("over1-more", [{"policy": {"min_tx_rate_mbps": 1}}], placement={"host": "over1"}, status=409)
        self.create("over1-none", [{}], placement={"host": "over1"})
        agent.pfs[0]["link"]["speed_mbps"] = 10000
        agent.report()
        self.assertEqual(len(self.events("over1", "BandwidthRestored")), 1)
        self.assertEqual(self.metric("sriov_pf_tx_over_promised_bytes_per_second", "over1"), 0)

    def test_the_ratio_bounds_what_is_promised(self):
        self.ready_host("ratio1", pfs=[pf(KEY, 8, speed=1000)])
        port = [{"policy": {"min_tx_rate_mbps": 900}}]
        self.patch("ratio1", tx_ratio_percent=80)
        self.assertEqual(self.promise("ratio1"), (0, 800, 0))
        self.create("ratio1-a", port, placement={"host": "ratio1"}, status=409)
        self.patch("ratio1", tx_ratio_percent=200)
        for i in range(2):
            self.create(f"ratio1-{i}", port, placement={"host": "ratio1"})
        self.assertEqual(self.promise("ratio1"), (1800, 2000, 0))
        self.create("ratio1-b", port, placement={"host": "ratio1"}, status=409)
        self.assertIn("1800 Mbit/s", self.refused("ratio1", 409, "in_use", "tx_ratio_percent", tx_ratio_percent=179)["detail"])
        self.patch("ratio1", tx_ratio_percent=180)

    def test_without_a_speed_nothing_is_promisable(self):
        silent = pf(KEY, 2)
        silent["link"]["speed_mbps"] = None
        self.ready_host("speed1", pfs=[silent])
        self.assertEqual(self.promise("speed1"), (0, None, 0))
        self.assertIsNone(self.metric("sriov_pf_tx_promisable_bytes_per_second", "speed1"))
        self.patch("speed1", link_speed_mbps=2500)
        self.assertEqual(self.promise("speed1"), (0, 2500, 0))


class Lists(Settings):
    def test_pfs_and_vfs_are_filtered(self):
        nvme = pf("0000:5e:00.0", 2, kind="storage", pci_class="010802", vendor="144d", driver="nvme", netdev="")
        Agent(self.s, "list1", pfs=[pf(KEY, 2), pf("0000:3b:00.1", 3, vendor="15b3", driver="mlx5_core"), nvme]).sync()
        Agent(self.s, "list2", pfs=[pf(KEY, 1)]).sync()

        def keys(query, path="/v1/pfs", limit=1000):
            return [(p["host"], p.get("pf") or p["key"]) for p in self.s.items(f"{path}?{query}", limit) if p["host"].startswith("list")]
        self.assertEqual(keys("kind=storage"), [("list1", nvme["key"])])
        self.assertEqual(keys("vendor_id=15b3"), keys("vendor_id=15B3"))
        self.assertEqual(keys("vendor_id=8086"), [("list1", KEY), ("list2", KEY)])
        self.assertEqual(keys("driver=mlx5_core"), [("list1", "0000:3b:00.1")])
        self.assertEqual(keys("driver=igb&host=list2"), [("list2", KEY)])
        self.assertEqual(keys("kind=network&vendor_id=144d"), [])
        for limit in (1, 2):
            self.assertEqual(keys("kind=network", limit=limit), keys("kind=network"))
        self.assertEqual(keys("kind=storage", "/v1/vfs"), [("list1", nvme["key"])] * 2)
        vf = self.s.items("/v1/vfs?kind=storage")[0]
        self.assertEqual((vf["kind"], vf["vendor_id"], vf["device_id"]), ("storage", "144d", "10ca"))
        for query, field in (("kind=nic", "kind"), ("vendor_id=80866", "vendor_id"), ("vendor_id=xyz1", "vendor_id"), ("vendor_id=0x80", "vendor_id")):
            answer = self.s.call("GET", "/v1/pfs?" + query)
            self.assertEqual((answer.status, answer.body["code"], answer.body["field"]), (400, "invalid", field))
        self.assertEqual(self.s.call("GET", "/v1/vfs?kind=nic").body["field"], "kind")

    def test_bonds_are_shown_and_do_not_change_the_links_speed(self):
        bonded = {"bond": "bond0", "bond_mode": "802.3ad", "bond_speed_mbps": 20000}
        self.ready_host("bond1", pfs=[pf(KEY, 2, **bonded, bond_active=True), pf("0000:3b:00.1", 2, **bonded, bond_active=True)])
        shown = self.show("bond1")
        self.assertEqual((shown["bond"], shown["bond_mode"], shown["bond_speed_mbps"], shown["bond_active"]), ("bond0", "802.3ad", 20000, True))
        self.assertEqual(shown["bandwidth"]["promisable_mbps"], 10000)


class Admin(Settings):
    def test_pf_set_waits_until_it_is_applied(self):
        agent = self.ready_host("cli1", pfs=[pf(KEY, 2, total_vfs=8)])
        self.answer_once(agent, "applied")
        run = self.admin("pf", "set", "cli1", KEY, "--num-vfs", "6", "--vf-drivers-autoprobe", "off", "--bridge-mode", "vepa", "--tx-ratio", "150",
                         "--capability", "trust=unsupported", "--capability", "max_tx_rate_mbps=conditional,link_up,link_speed:900", "--wait")
        self.assertEqual((run.returncode, run.stderr), (0, ""), run)
        self.assertRegex(run.stdout, r"PHASE +applied")
        self.assertRegex(run.stdout, r"(?m)^VFS +6$")
        shown = self.show("cli1")
        settings = shown["settings"]
        self.assertEqual((settings["num_vfs"], settings["vf_drivers_autoprobe"], settings["bridge_mode"], settings["tx_ratio_percent"]),
                         (6, "off", "vepa", 150))
        self.assertEqual(settings["capabilities"]["max_tx_rate_mbps"], {"support": "conditional", "source": "operator", "needs": ["link_up", "link_speed"],
                                                                       "max": 900, "note": ""})
        run = self.admin("pf", "set", "cli1", KEY, "--num-vfs", "observed", "--vf-drivers-autoprobe", "keep", "--bridge-mode", "keep",
                         "--capability", "trust=none", "--wait", "-o", "json")
        self.assertEqual(run.returncode, 0, run)
        settings = json.loads(run.stdout)["settings"]
        self.assertEqual((settings["num_vfs"], settings["vf_drivers_autoprobe"], settings["bridge_mode"]), (None, None, None))
        self.assertEqual(list(settings["capabilities"]), ["max_tx_rate_mbps"])

    def answer_once(self, agent, *how):
        """Another thread takes the next change over, or says what became of it."""
        revision = self.s.get(f"/v1/hosts/{agent.name}")["revision"]

        def answer():
            desired = agent.poll(revision)
            if how == ("applied",):
                agent.apply(desired)
            else:
                agent.configure(desired["pfs"][0], *how)
            agent.report()
        thread = threading.Thread(target=answer)
        thread.start()
        self.addCleanup(thread.join, 30)

    def test_pf_set_tells_what_was_rejected_or_failed(self):
        agent = self.ready_host("cli2", pfs=[pf(KEY, 2, total_vfs=8)])
        self.answer_once(agent, "rejected", "SchedulerSilent", "the scheduler was silent for 30 s")
        run = self.admin("pf", "set", "cli2", KEY, "--num-vfs", "4", "--wait")
        self.assertEqual(run.returncode, 1, run)
        self.assertIn("rejected: the scheduler was silent for 30 s", run.stderr)
        self.answer_once(agent, "failed", "Refused", "EBUSY when set")
        run = self.admin("pf", "set", "cli2", KEY, "--num-vfs", "5", "--wait")
        self.assertEqual(run.returncode, 1, run)
        self.assertIn("failed: EBUSY when set", run.stderr)
        run = self.admin("pf", "set", "cli2", KEY, "--num-vfs", "6", "--wait", "--timeout", "1")
        self.assertEqual(run.returncode, 1, run)
        self.assertIn("still pending after 1 s", run.stderr)

    def test_pf_set_passes_on_what_is_refused(self):
        self.ready_host("cli3", pfs=[pf(KEY, 2, total_vfs=8)])
        self.create("cli3-vm", placement={"host": "cli3"})
        for words, status, told in ((["--num-vfs", "99"], 1, "8 VFs"), (["--num-vfs", "4"], 3, "field: num_vfs"), (["--num-vfs", "many"], 1, "whole number"),
                                    (["--bridge-mode", "evb"], 1, "field: bridge_mode"), (["--capability", "trust"], 1, "FIELD=SUPPORT"),
                                    (["--capability", "colour=supported"], 1, "field: capabilities.colour"), (["--tx-ratio", "0"], 1, "field: tx_ratio_percent"),
                                    (["--capability", "vlan=supported:x"], 1, "whole number"), (["--allow", "--deny"], 1, "exclude"), ([], 1, "nothing to set"),
                                    (["--wait"], 1, "nothing to set"), (["--num-vfs", "2", "--timeout", "soon"], 1, "--timeout")):
            with self.subTest(words=words):
                run = self.admin("pf", "set", "cli3", KEY, *words)
                self.assertEqual(run.returncode, status, run)
                self.assertIn(told, run.stderr)

    def test_capabilities_of_one_host_and_all(self):
        self.ready_host("cli4", pfs=[pf(KEY, 2), pf("0000:3b:00.1", 2)])
        self.patch("cli4", capabilities={"max_tx_rate_mbps": {"support": "conditional", "needs": ["link_up", "link_speed"], "max": 900, "note": "igb"}})
        run = self.admin("pf", "capabilities", "cli4", KEY)
        rows = [line.split() for line in run.stdout.splitlines()]
        self.assertEqual(rows[0], ["FIELD", "SUPPORT", "NEEDS", "MAX", "SOURCE", "NOTE"])
        self.assertEqual([row[0] for row in rows[1:]], [*FIELDS, *TRAITS])
        self.assertIn(["max_tx_rate_mbps", "conditional", "link_up,", "link_speed", "900", "operator", "igb"], rows)
        rows = json.loads(self.admin("pf", "capabilities", "cli4", "-o", "json").stdout)
        self.assertEqual(len(rows), 2 * (len(FIELDS) + len(TRAITS)))
        self.assertEqual({(r["host"], r["pf"]) for r in rows}, {("cli4", KEY), ("cli4", "0000:3b:00.1")})
        run = self.admin("pf", "capabilities", "-o", "value", "-c", "HOST", "-c", "PF", "-c", "FIELD", "-c", "SUPPORT")
        self.assertIn(f"cli4\t{KEY}\tmax_tx_rate_mbps\tconditional\n", run.stdout)
        self.assertIn("- field: mac\n", self.admin("pf", "capabilities", "cli4", KEY, "-o", "yaml").stdout.replace("  field: mac", "- field: mac"))
        self.assertEqual(self.admin("pf", "capabilities", "nobody").returncode, 1)

    def test_lists_show_kind_and_filters(self):
        nvme = pf("0000:5e:00.0", 2, kind="storage", pci_class="010802", vendor="144d", driver="nvme", netdev="")
        self.ready_host("cli5", pfs=[pf(KEY, 2), nvme])
        run = self.admin("vf", "list", "--host", "cli5", "--kind", "storage", "-o", "value", "-c", "PF", "-c", "KIND")
        self.assertEqual(run.stdout, "0000:5e:00.0\tstorage\n" * 2)
        run = self.admin("pf", "list", "--host", "cli5", "--vendor-id", "144d", "--driver", "nvme", "--kind", "storage", "-o", "value", "-c", "PF")
        self.assertEqual(run.stdout, "0000:5e:00.0\n")
        run = self.admin("pf", "show", "cli5", KEY)
        for word in ("PROMISABLE_MBPS", "BRIDGE_MODE", "USED_BY", "WANTED_VFS"):
            self.assertIn(word, run.stdout)


if __name__ == "__main__":
    unittest.main()
