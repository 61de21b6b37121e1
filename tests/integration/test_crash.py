# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random and at each named step: every acknowledged 201 is there after the next start, nothing has two owners, and
whoever got no answer can ask again with the same Idempotency-Key. SRIOV_FULL=1: more rounds."""
import http.client
import os
import random
import re
import threading
import time
import unittest
import uuid

from harness import ROOT, Agent, Scheduler, pf

CLIENTS = 64
ROUNDS = 40 if os.environ.get("SRIOV_FULL") == "1" else 8
STEPS = ("commit:before", "commit:after", "answer:before")


class Client(threading.Thread):
    """Creates VMs until told to stop, and deletes some of them. Remembers what was acknowledged."""

    def __init__(self, scheduler, number, stop):
        super().__init__(daemon=True)
        self.scheduler, self.number, self.stop = scheduler, number, stop
        self.random = random.Random(number)
        self.created, self.deleting, self.open = {}, set(), None
        self.unsure = set() # asked to go, not answered: may be there or not
        self.surprises = []

    def run(self):
        while not self.stop.is_set():
            try:
                self.once()
            except (OSError, http.client.HTTPException):
                time.sleep(0.005)

    def once(self):
        if self.created and self.random.random() < 0.2:
            vm = self.random.choice(sorted(self.created))
            claim = self.created.pop(vm)
            self.unsure.add(vm)
            answer = self.scheduler.call("DELETE", f"/v1/vms/{vm}", check=False)
            self.unsure.discard(vm)
            if answer.status in (202, 204):
                self.deleting.add(vm)
            elif answer.status == 503:
                self.created[vm] = claim
            else:
                self.surprises.append((vm, answer.status, answer.body))
            return
        # A request without an answer is sent again, with its key, until it has one.
        if self.open is None:
            self.open = str(uuid.uuid4())
        body = {"name": "vm-" + self.open, "vcpus": 1, "memory_mib": 1, "ports": [{"policy": {"vlan": 1 + self.number}}]}
        answer = self.scheduler.call("POST", "/v1/vms", body, headers={"Idempotency-Key": self.open}, check=False)
        if answer.status == 201:
            self.created[answer.body["id"]] = answer.body["ports"][0]["claim"]
            self.open = None
        elif answer.status == 409 and answer.body["code"] == "no_valid_host":
            self.stop.wait(0.2)
        elif answer.status != 503:
            self.surprises.append((self.open, answer.status, answer.body))
            self.open = None


class Crash(unittest.TestCase):
    def setUp(self):
        self.s = Scheduler().start()
        self.agents = [Agent(self.s, f"crash{i}", pfs=[pf("0000:3b:00.0", 64), pf("0000:3b:00.1", 64)]) for i in range(8)]
        for agent in self.agents:
            agent.sync()
            agent.allow()
        self.stop = threading.Event()
        self.clients = [Client(self.s, i, self.stop) for i in range(CLIENTS)]

    def tearDown(self):
        self.stop.set()
        self.s.close()

    def check(self):
        """What was acknowledged is there; no VF has two owners."""
        vms = {vm["id"]: vm for vm in self.s.items("/v1/vms")}
        for client in self.clients:
            self.assertEqual(client.surprises, [])
            for vm, claim in client.created.items():
                self.assertTrue(vm in vms, f"the acknowledged VM {vm} is lost")
                self.assertEqual((vms[vm]["ports"][0]["claim"], vms[vm]["state"]), (claim, "claimed"))
            for vm in client.deleting:
                self.assertNotEqual(vms.get(vm, {}).get("state"), "claimed", "an acknowledged removal is lost")
        owners = {}
        for vm in vms.values():
            for port in vm["ports"]:
                key = (vm["host"], port["claim"]["pf"], port["claim"]["vf_index"])
                self.assertNotIn(key, owners, f"{key} has two owners")
                owners[key] = vm["id"]
        return len(vms)

    def restart(self, epoch):
        self.s.start()
        self.assertGreater(self.s.get("/version")["epoch"], epoch)
        for agent in self.agents:
            agent.incarnation += 1
            agent.sync()

    def pause_clients(self):
        """Waits until every client has its answer or its error."""
        self.stop.set()
        for client in self.clients:
            client.join(30)
            self.assertFalse(client.is_alive())

    def run_clients(self):
        self.stop.clear()
        fresh = []
        for old in self.clients:
            client = Client(self.s, old.number, self.stop)
            client.created, client.deleting, client.open = old.created, old.deleting, old.open
            client.random = old.random
            fresh.append(client)
            client.start()
        self.clients = fresh

    def test_kill_at_random(self):
        epoch, chance = 0, random.Random(7)
        for _ in range(ROUNDS):
            self.run_clients()
            time.sleep(chance.uniform(0.05, 0.8))
            self.s.kill()
            self.pause_clients()
            self.restart(epoch)
            epoch = self.s.get("/version")["epoch"]
            self.check()
        acknowledged = sum(len(c.created) + len(c.deleting) for c in self.clients)
        self.assertGreater(acknowledged, 50)

    def test_kill_at_each_step(self):
        chance = random.Random(11)
        for step in STEPS:
            for times in (2, 12, chance.randrange(20, 60), chance.randrange(60, 200)):
                self.s.stop()
                # The first commit is the start's own.
                self.s.start(env={"SRIOV_CRASH_AT": f"{step}#{times}"})
                self.run_clients()
                try:
                    for agent in self.agents:
                        agent.incarnation += 1
                        agent.sync()
                except (OSError, http.client.HTTPException):
                    pass # it crashed already
                status = self.s.process.wait(30)
                self.assertEqual(status, 137, step)
                self.pause_clients()
                self.s.disconnect()
                self.s.process.stdout.close()
                self.s.log.close()
                self.restart(0)
                self.check()

    def test_kill_during_the_start(self):
        """Before and after the very first commits: the next start works, with the token of the file."""
        for step in STEPS:
            for times in (1, 2):
                fresh = Scheduler()
                try:
                    fresh.start(env={"SRIOV_CRASH_AT": f"{step}#{times}"}, wait=False)
                    self.assertEqual(fresh.process.returncode, 137, f"{step}#{times}")
                    fresh.start()
                    self.assertEqual(fresh.call("GET", "/v1/tokens").status, 200)
                    self.assertEqual([t["name"] for t in fresh.items("/v1/tokens")], ["admin"])
                    fresh.stop()
                finally:
                    fresh.close()

    def test_every_step_has_a_case(self):
        with open(f"{ROOT}/scheduler/service/writer.h", encoding="utf-8") as file:
            named = re.findall(r'X\("([a-z:]+)"\)', file.read())
        self.assertEqual(set(named), set(STEPS))

    def test_an_unknown_step_is_refused(self):
        other = Scheduler()
        try:
            other.start(env={"SRIOV_CRASH_AT": "lunch:before"}, wait=False)
            self.assertEqual(other.process.returncode, 1)
            self.assertIn("SRIOV_CRASH_AT", other.log_text())
        finally:
            other.close()


if __name__ == "__main__":
    unittest.main()
