# SPDX-License-Identifier: Apache-2.0
"""The figures by name. Each takes a plan and gives its rows: ours, what it is compared with, and the goal. What is
compared is measured in turns, and the median of the turns is told, because a machine is seldom ours alone."""
from statistics import median


from stage import Parts, Stage, cpu_ns, load, private_dirty


class Plan:
    def __init__(self, quick=False):
        self.rounds = 2 if quick else 5
        self.claims = 1000 if quick else 3000
        self.seconds = 5 if quick else 20


def row(figure, unit, ours, baseline=None, goal=None, most=None, ratios=None, raw=None):
    """'most': the goal for the ratio if there is a baseline, else for ours."""
    ratio = median(ratios) if ratios else ours / baseline if baseline else None
    told = ratio if ratio is not None else ours
    return {"figure": figure, "unit": unit, "ours": ours, "baseline": baseline, "ratio": ratio, "goal": goal,
            "met": None if most is None else told <= most, "most": most, "raw": raw or {}}


def expect(result, status):
    """All requests of a load were answered with this status."""
    if result["broken"] or result["statuses"] != {str(status): result["answered"]}:
        raise RuntimeError(f"not all answers are {status}: {result}")


def claim_round(side, lines, clients=64):
    """One load of claims: CPU per claim in µs, claims per second."""
    before = cpu_ns(side.pid)
    result = load(side.address, lines, clients)
    spent = cpu_ns(side.pid) - before
    expect(result, 201)
    return {"us": spent / result["answered"] / 1e3, "per_s": result["answered"] / result["seconds"], "client": result}


def parts_like(ours):
    """Raw parts that write the rows and give the answers that 'ours' does; both are warm then."""
    warm = claim_round(ours, ours.claims(1000))["client"]
    parts = Parts(*ours.store_rows(), warm["bytes_in"] // warm["answered"])
    claim_round(parts, ours.claims(1000))
    return parts


def claim(plan):
    """CPU of the scheduler per durable claim over REST at 64 clients, against raw parts; claims per second"""
    ours = Stage(100)
    parts = parts_like(ours)
    turns = []
    for _ in range(plan.rounds):
        lines = ours.claims(min(plan.claims, 2200))
        turns.append((claim_round(ours, lines), claim_round(parts, lines)))
    parts.close()
    ours.close()
    raw = {"ours": [a for a, _ in turns], "baseline": [b for _, b in turns]}
    return [row("claim", "µs CPU", median(a["us"] for a, _ in turns), median(b["us"] for _, b in turns), "at most 2x", 2.0,
                [a["us"] / b["us"] for a, b in turns], raw),
            row("claim-rate", "claims/s", median(a["per_s"] for a, _ in turns), median(b["per_s"] for _, b in turns))]


def claim_10000(plan):
    """the same CPU at 10,000 hosts, against 100 hosts"""
    few, many = Stage(100), Stage(10000)
    turns = []
    for side in (few, many):
        claim_round(side, side.claims(1000))
    for _ in range(plan.rounds):
        count = min(plan.claims, 2200)
        turns.append((claim_round(many, many.claims(count)), claim_round(few, few.claims(count))))
    few.close()
    many.close()
    raw = {"ours": [a for a, _ in turns], "baseline": [b for _, b in turns]}
    return [row("claim-10000", "µs CPU", median(a["us"] for a, _ in turns), median(b["us"] for _, b in turns), "at most 1.2x", 1.2,
                [a["us"] / b["us"] for a, b in turns], raw)]


def refusal(plan):
    """CPU per 409 no_valid_host at 10,000 hosts, against a claim there"""
    ours = Stage(10000)
    turns = []
    claim_round(ours, ours.claims(1000))
    for _ in range(plan.rounds):
        placed = claim_round(ours, ours.claims(1000))
        before = cpu_ns(ours.pid)
        result = load(ours.address, ours.claims(300, network="nowhere"), 16)
        spent = cpu_ns(ours.pid) - before
        expect(result, 409)
        turns.append((spent / result["answered"] / 1e3, placed["us"]))
    ours.close()
    return [row("refusal", "µs CPU", median(a for a, _ in turns), median(b for _, b in turns), ratios=[a / b for a, b in turns],
                raw=turns)]


def scheduler_memory(plan):
    """private dirty memory of the scheduler per VF, above an empty one's"""
    ours = Stage(200 if plan.rounds < 5 else 1000, pfs=2, vfs=64)
    vfs = ours.hosts * ours.pfs * ours.vfs
    full = private_dirty(ours.pid)
    empty = ours.empty_dirty
    ours.close()
    return [row("scheduler-memory", "bytes per VF", (full - empty) / vfs, goal="at most 200", most=200,
                raw={"vfs": vfs, "full": full, "empty": empty})]


ALL = {
    "claim": claim,
    "claim-10000": claim_10000,
    "refusal": refusal,
    "scheduler-memory": scheduler_memory,
}
