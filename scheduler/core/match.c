/* SPDX-License-Identifier: Apache-2.0 */
/* Ports to PFs of one host: which PF gives each port its VF.
 *
 * Without asked bandwidth this is matching with capacities: augmenting paths
 * find an assignment whenever there is one, in polynomial time. Asked
 * bandwidth makes it bin packing: those ports, and macvtaps, which need VFs that
 * the host drives, are tried in all ways, largest first, PFs that are alike only once, and the rest is matched at each leaf.
 * That part is exponential at worst, so it stops after MATCH_STEPS_MAX steps
 * of one decision and says no: with up to 16 ports on up to 64 PFs that takes
 * a request built for it. */
#include "scheduler/core/placement.h"

#include <string.h>

#define MATCH_STEPS_MAX 200000u

struct match {
    struct want *want;
    const struct slot *slot;
    bool packs;
    uint64_t fits[VM_PORTS_MAX];    /* bit N: slot->pfs[N] could serve it */
    int chosen[VM_PORTS_MAX];       /* -1 = none yet */
    uint32_t left[HOST_PFS_MAX];    /* free VFs, or the PF itself */
    uint32_t netdevs[HOST_PFS_MAX]; /* free VFs that the host drives; counted
                                       only where a port needs such a one */
    uint64_t mbps[HOST_PFS_MAX];    /* free bandwidth */
    size_t rated_count;
    /* ports that ask for bandwidth, most first, or for a VF of a certain sort */
    size_t rated[VM_PORTS_MAX];
    uint32_t plain; /* bits of the other ports */
};

static uint32_t port_rate(const struct match *match, size_t port)
{
    return match->want->ports[port].policy.min_tx_rate_mbps;
}

/* The PF to take next for a port: with link before without, then by strategy
 * the one with the most or the fewest VFs left, then by name. -1 = none. */
static int best_pf(const struct match *match, uint64_t among, uint32_t rate,
                   bool netdev)
{
    int best = -1;
    for (; among; among &= among - 1) {
        int pf = __builtin_ctzll(among);
        if (!match->left[pf] || match->mbps[pf] < rate ||
            (netdev && !match->netdevs[pf]))
            continue;
        if (best < 0) {
            best = pf;
            continue;
        }
        bool up = match->slot->pfs[pf]->class->link_up;
        if (up != match->slot->pfs[best]->class->link_up) {
            if (up)
                best = pf;
        } else if (match->packs ? match->left[pf] < match->left[best]
                                : match->left[pf] > match->left[best]) {
            best = pf;
        }
    }
    return best;
}

/* Find this port a VF, moving other plain ports out of the way if need be. */
static bool augment(struct match *match, size_t port, uint64_t *visited)
{
    int pf = best_pf(match, match->fits[port] & ~*visited, 0, false);
    if (pf >= 0) {
        match->chosen[port] = pf;
        match->left[pf]--;
        return true;
    }
    for (uint64_t among = match->fits[port] & ~*visited; among;
         among = match->fits[port] & ~*visited) {
        pf = __builtin_ctzll(among);
        *visited |= UINT64_C(1) << pf;
        for (size_t other = 0; other < match->want->count; other++) {
            if (!(match->plain & (1u << other)) || match->chosen[other] != pf)
                continue;
            if (augment(match, other, visited)) {
                match->chosen[port] = pf;
                return true;
            }
        }
    }
    return false;
}

static bool match_plain(struct match *match)
{
    for (size_t port = 0; port < match->want->count; port++) {
        uint64_t visited = 0;
        if ((match->plain & (1u << port)) && !augment(match, port, &visited))
            return false;
    }
    return true;
}

static void release_plain(struct match *match)
{
    for (size_t port = 0; port < match->want->count; port++)
        if ((match->plain & (1u << port)) && match->chosen[port] >= 0) {
            match->left[match->chosen[port]]++;
            match->chosen[port] = -1;
        }
}

static bool pfs_alike(const struct match *match, int a, int b)
{
    return match->slot->pfs[a]->class == match->slot->pfs[b]->class &&
           match->left[a] == match->left[b] &&
           match->netdevs[a] == match->netdevs[b] &&
           match->mbps[a] == match->mbps[b];
}

/* Place the rated ports from 'next' on, then the plain ones. */
static bool match_rated(struct match *match, size_t next)
{
    if (next == match->rated_count) {
        if (match_plain(match))
            return true;
        release_plain(match);
        return false;
    }
    size_t port = match->rated[next];
    uint32_t rate = port_rate(match, port);
    bool netdev = match->want->ports[port].needs_netdev;
    uint64_t untried = match->fits[port];
    int pf = -1;
    while ((pf = best_pf(match, untried, rate, netdev)) >= 0) {
        if (++match->want->steps > MATCH_STEPS_MAX)
            return false;
        for (uint64_t rest = untried; rest; rest &= rest - 1) {
            int other = __builtin_ctzll(rest);
            if (other != pf && pfs_alike(match, other, pf))
                untried &= ~(UINT64_C(1) << other);
        }
        untried &= ~(UINT64_C(1) << pf);
        match->chosen[port] = pf;
        match->left[pf]--;
        match->netdevs[pf] -= netdev;
        match->mbps[pf] -= rate;
        if (match_rated(match, next + 1))
            return true;
        match->chosen[port] = -1;
        match->left[pf]++;
        match->netdevs[pf] += netdev;
        match->mbps[pf] += rate;
    }
    return false;
}

static void add_port(struct match *match, size_t port)
{
    for (size_t i = 0; i < match->slot->pf_count; i++)
        if (placement_pf_fits(match->want, port, match->slot->pfs[i]))
            match->fits[port] |= UINT64_C(1) << i;
    bool netdev = match->want->ports[port].needs_netdev;
    for (size_t i = 0; netdev && i < match->slot->pf_count; i++)
        match->netdevs[i] = pf_slot_free_netdevs(match->slot->pfs[i]);
    if (!port_rate(match, port) && !netdev) {
        match->plain |= 1u << port;
        return;
    }
    size_t at = match->rated_count++;
    for (; at > 0 &&
           port_rate(match, match->rated[at - 1]) < port_rate(match, port);
         at--)
        match->rated[at] = match->rated[at - 1];
    match->rated[at] = port;
}

bool match_ports(struct want *want, const struct slot *slot, uint32_t ports,
                 int chosen[VM_PORTS_MAX])
{
    struct match match = {
        .want = want,
        .slot = slot,
        .packs = want->request->strategy == STRATEGY_PACK,
    };
    for (size_t i = 0; i < VM_PORTS_MAX; i++)
        match.chosen[i] = -1;
    for (size_t i = 0; i < slot->pf_count; i++) {
        const struct pf_slot *pf_slot = slot->pfs[i];
        uint64_t promisable = pf_slot->class->promisable_mbps;
        match.left[i] = pf_slot->node.linked ? pf_slot->free : 0;
        match.mbps[i] = promisable > pf_slot->committed_mbps
                            ? promisable - pf_slot->committed_mbps
                            : 0;
    }
    for (size_t port = 0; port < want->count; port++)
        if (ports & (1u << port)) {
            add_port(&match, port);
            if (!match.fits[port])
                return false;
        }
    if (!match_rated(&match, 0))
        return false;
    memcpy(chosen, match.chosen, sizeof match.chosen);
    return true;
}
