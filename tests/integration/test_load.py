# SPDX-License-Identifier: Apache-2.0
"""The scheduler under load and abuse: clients that race for the last VFs, a thousand that send a byte a second, bodies at
the limit, a hundred agents that report at the same instant. What must hold is counted; nothing is timed."""
import json
import resource
import socket
import threading
import time
import unittest

from harness import Agent, Fixture, eventually, pf

BODY_MAX = 128 * 1024  # of POST /v1/vms
REPORT_MAX = 8 * 1024 * 1024  # of PUT /v1/agents/{host}/observed
SLOW = 1000


def at_once(count, work):
    """work(number) on 'count' threads that begin together; the results in order, or the first exception."""
    barrier, results, failures = threading.Barrier(count), [None] * count, []

    def one(number):
        try:
            barrier.wait(60)
            results[number] = work(number)
        except BaseException as failure:  # pylint: disable=broad-exception-caught
            failures.append(failure)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


class Race(Fixture):
    CLIENTS, VFS = 64, 16

    def race(self, turn):
        """64 clients, 16 VFs on two hosts; a third host is cordoned, on a fourth the PF is not allowed."""
        answers = at_once(self.CLIENTS, lambda number: self.s.call(
            "POST", "/v1/vms", {"name": f"race-{turn}-{number}", "vcpus": 1, "memory_mib": 512,
                                "ports": [{"physical_network": "physnet0"}]}))
        won = [answer.body for answer in answers if answer.status == 201]
        lost = [answer.body for answer in answers if answer.status == 409]
        self.assertEqual((len(won), len(lost)), (self.VFS, self.CLIENTS - self.VFS))
        claims = {(vm["host"], vm["ports"][0]["claim"]["pf"], vm["ports"][0]["claim"]["vf_index"]) for vm in won}
        self.assertEqual(claims, {(host, "0000:3b:00.0", index) for host in ("race-a", "race-b") for index in range(8)})
        for problem in lost:
            self.assertEqual(problem["code"], "no_valid_host")
            self.assertEqual({(r["reason"], r["field"]): r["hosts"] for r in problem["reasons"]},
                             {("no_free_vf", None): 2, ("host_cordoned", None): 1, ("pf_not_allowed", None): 1})
            for reason in problem["reasons"]:
                self.assertIn(reason["example"]["host"], {"no_free_vf": ("race-a", "race-b"), "host_cordoned": ("race-c",),
                                                          "pf_not_allowed": ("race-d",)}[reason["reason"]])
        self.assertEqual({vm["id"] for vm in self.s.items("/v1/vms")}, {vm["id"] for vm in won})
        return won

    def test_as_many_win_as_there_are_vfs_and_the_others_hear_why(self):
        agents = [self.ready_host(name) for name in ("race-a", "race-b")]
        self.ready_host("race-c")
        self.assertEqual(self.s.call("PATCH", "/v1/hosts/race-c", {"cordoned": True}).status, 200)
        Agent(self.s, "race-d").sync()
        for turn in range(3):
            won = self.race(turn)
            # Once their VFs read back clean, the next have the same chance.
            at_once(len(won), lambda number: self.s.call("DELETE", "/v1/vms/" + won[number]["id"]))
            for agent in agents:
                agent.sync()
            self.assertEqual(self.s.items("/v1/vms"), [])


class SlowClients(Fixture):
    # Room for fewer than there are slow clients: an eighth of it stays free for those who come.
    options = ("--connections", "1000")

    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < 4 * SLOW:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(4 * SLOW, hard), hard))

    def test_a_thousand_that_send_a_byte_a_second_are_ended_and_starve_nobody(self):
        self.ready_host("slow-1", pfs=[pf("0000:3b:00.0", 64)])
        host, port = self.s.address.rsplit(":", 1)
        endless = b"GET /v1/vms HTTP/1.1\r\nHost: slow\r\nX-Slow: " + b"a" * 600
        slow = [socket.create_connection((host, int(port)), 30) for _ in range(SLOW)]
        made, ended = 0, 0
        try:
            for each in slow:
                each.setblocking(False)
            # The service ends each head that is not whole after 60 s; the loop is left when all are gone.
            for second in range(300):
                ended = sum(self.is_ended(each, endless[second:second + 1]) for each in slow)
                if ended == SLOW:
                    break
                # Somebody new, each second: a connection of its own, then a placement.
                self.s.disconnect()
                self.assertEqual(self.s.raw("GET", "/healthz").status, 200)
                if second % 5 == 0 and made < 60:
                    self.create(f"beside-{second}")
                    made += 1
                time.sleep(1)
        finally:
            for each in slow:
                each.close()
        self.assertEqual(ended, SLOW, "slow clients that the service ended")
        self.assertGreater(made, 0)
        self.assertEqual(len(self.s.items("/v1/vms")), made)

    @staticmethod
    def is_ended(connection, byte):
        """Whether the service has ended it; else it gets one byte more."""
        try:
            if connection.recv(4096, socket.MSG_PEEK) == b"":
                return True
        except BlockingIOError:
            pass
        except OSError:
            return True
        try:
            connection.send(byte)
        except BlockingIOError:
            pass
        except OSError:
            return True
        return False


class BodiesAtTheLimit(Fixture):
    def send(self, method, path, body, token=None, chunked=False):
        """One request on a connection of its own, read to its end also when the service stops reading early."""
        host, port = self.s.address.rsplit(":", 1)
        head = (f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {token or self.s.token}\r\n")
        head += "Transfer-Encoding: chunked\r\n\r\n" if chunked else f"Content-Length: {len(body)}\r\n\r\n"
        if chunked:
            body = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
        with socket.create_connection((host, int(port)), 60) as connection:
            try:
                connection.sendall(head.encode() + body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has answered already
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        head, _, rest = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode().lower(), json.loads(rest)

    def refused(self, status, head, problem):
        self.assertEqual((status, problem["status"], problem["code"]), (413, 413, "too_large"))
        self.assertIn("content-type: application/problem+json", head)
        self.assertTrue(problem["detail"] and problem["request_id"])

    @staticmethod
    def padded(document, size):
        text = json.dumps(document).encode()
        return text[:-1] + b" " * (size - len(text)) + b"}"

    def test_a_request_of_exactly_the_limit_is_judged_by_its_content(self):
        self.ready_host("limit-1")
        vm = {"name": "limit", "vcpus": 1, "memory_mib": 512, "ports": [{}]}
        body = self.padded(vm, BODY_MAX)
        self.assertEqual(len(body), BODY_MAX)
        for chunked in (False, True):
            vm["name"] = f"limit-{chunked}"
            status, _, answer = self.send("POST", "/v1/vms", self.padded(vm, BODY_MAX), chunked=chunked)
            self.assertEqual((status, answer["name"]), (201, vm["name"]))
        status, _, problem = self.send("POST", "/v1/vms", b"{" * BODY_MAX)
        self.assertEqual((status, problem["code"]), (400, "malformed_json"))
        status, _, problem = self.send("POST", "/v1/vms", self.padded({**vm, "name": "x", "bogus": 1}, BODY_MAX))
        self.assertEqual((status, problem["code"], problem["field"]), (400, "unknown_field", "bogus"))

    def test_one_byte_more_is_refused_and_changes_nothing(self):
        before = self.s.items("/v1/vms")
        vm = {"name": "too-large", "vcpus": 1, "memory_mib": 512, "ports": [{}]}
        for chunked in (False, True):
            self.refused(*self.send("POST", "/v1/vms", self.padded(vm, BODY_MAX + 1), chunked=chunked))
        self.assertEqual(self.s.items("/v1/vms"), before)

    def test_reports_have_the_larger_limit(self):
        agent = Agent(self.s, "limit-2")
        agent.sync()
        path = "/v1/agents/limit-2/observed"
        status, _, answer = self.send("PUT", path, self.padded(agent.document(), REPORT_MAX), agent.token)
        self.assertEqual((status, answer["sequence"]), (200, agent.sequence))
        self.refused(*self.send("PUT", path, self.padded(agent.document(), REPORT_MAX + 1), agent.token))
        # It was not taken: the same number again is news.
        agent.sequence -= 1
        agent.report()


class AgentsAtOnce(Fixture):
    AGENTS, CLIENTS, CALLS = 100, 8, 20

    def test_all_are_accepted_and_no_client_starves(self):
        agents = [Agent(self.s, f"crowd-{number:03d}", pfs=[pf("0000:3b:00.0", 64)]) for number in range(self.AGENTS)]
        placed = self.ready_host("crowd-placed", pfs=[pf("0000:3b:00.0", 128), pf("0000:3c:00.0", 128)])

        def work(number):
            if number < self.AGENTS:
                for _ in range(3):
                    self.assertEqual(agents[number].report()["sequence"], agents[number].sequence)
                return None
            client = number - self.AGENTS
            return [self.create(f"crowd-{client}-{call}", [{"physical_network": "physnet0"}]).body for call in range(self.CALLS)]

        made = [vm for vms in at_once(self.AGENTS + self.CLIENTS, work) if vms for vm in vms]
        self.assertEqual(len(made), self.CLIENTS * self.CALLS)
        self.assertEqual({vm["host"] for vm in made}, {placed.name})
        hosts = {host["name"]: host["state"] for host in self.s.items("/v1/hosts")}
        self.assertEqual(hosts, {agent.name: "ready" for agent in [*agents, placed]})
        eventually(lambda: len(self.s.items("/v1/vms")) == len(made), what="all VMs")


if __name__ == "__main__":
    unittest.main()
