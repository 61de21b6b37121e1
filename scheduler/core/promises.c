/* SPDX-License-Identifier: Apache-2.0 */
/* Over-promise: a link that came up slower than what claims hold of it. What is
 * claimed stays; placement admits nothing more there. Said once when it begins
 * (again if the link changes further), and once when all of it fits again.
 *
 * What was said is kept in the host's report, so that a failed commit takes it
 * back with the rest. While nobody tells the link's speed (it is down), nothing
 * is said either way. After a start of ours it is said anew. */
#include "scheduler/core/internal.h"

#include <inttypes.h>
#include <string.h>

static const struct pf_promise *was_said(const struct host_report *report,
                                         const struct pf_key *key)
{
    for (size_t i = 0; i < report->over_count; i++)
        if (pf_key_compare(&report->over[i].pf, key) == 0)
            return &report->over[i];
    return NULL;
}

/* What holds of a PF now, having said 'said'. */
enum news { NEWS_NONE, NEWS_OVER, NEWS_FITS };
static enum news promise_news(const struct pf_promise *said,
                              const struct pf_promise *now)
{
    if (!now->promisable_mbps && now->promised_mbps)
        return NEWS_NONE;
    if (!now->over)
        return said ? NEWS_FITS : NEWS_NONE;
    return !said || said->promisable_mbps != now->promisable_mbps ? NEWS_OVER
                                                                  : NEWS_NONE;
}

static void say(struct core *core, const struct core_call *call, struct tx *tx,
                const char *host, const struct pf_promise *now, enum news news)
{
    struct event_about about = {.host = host};
    if (news == NEWS_OVER)
        core_event(
            core, call, tx, about, "BandwidthOverPromised", "LinkTooSlow",
            "PF %s: %zu ports were promised %" PRIu64 " Mbit/s, %" PRIu64
            " Mbit/s are available now; no more "
            "min_tx_rate_mbps is admitted there",
            now->pf.text, now->ports, now->promised_mbps, now->promisable_mbps);
    else if (now->promised_mbps)
        core_event(
            core, call, tx, about, "BandwidthRestored", "PromisesFitAgain",
            "PF %s: the %" PRIu64 " Mbit/s promised to %zu ports fit the "
            "%" PRIu64 " Mbit/s available",
            now->pf.text, now->promised_mbps, now->ports, now->promisable_mbps);
    else
        core_event(core, call, tx, about, "BandwidthRestored",
                   "NothingPromised", "PF %s: nothing is promised any more",
                   now->pf.text);
}

/* What is to be said of each PF; returns how much of it is news. 'over' gets
 * what is then said and not taken back. A PF that is gone is told as gone. */
static size_t gather(const struct host_view *view, struct pf_promise *over,
                     size_t *over_count, struct pf_promise *told,
                     enum news *news)
{
    const struct inventory *inventory = view->report->inventory;
    size_t count = 0;
    for (size_t i = 0; i < inventory->pf_count; i++) {
        const struct pf *pf = inventory->pfs[i];
        const struct pf_promise *said = was_said(view->report, &pf->key);
        struct pf_promise now = host_view_promise(view, pf);
        enum news what = promise_news(said, &now);
        if (what != NEWS_NONE) {
            told[count] = now;
            news[count++] = what;
        }
        if (what == NEWS_OVER)
            over[(*over_count)++] = now;
        else if (what == NEWS_NONE && said)
            over[(*over_count)++] = *said;
    }
    return count;
}

void core_tell_promises(struct core *core, const struct core_call *call,
                        struct tx *tx, const char *host)
{
    const struct host_view *view = state_host(&core->state, host);
    if (!view || !view->report)
        return;
    struct pf_promise over[HOST_PFS_MAX], told[HOST_PFS_MAX];
    enum news news[HOST_PFS_MAX];
    size_t over_count = 0;
    size_t count = gather(view, over, &over_count, told, news);
    if (!count && over_count == view->report->over_count)
        return;
    struct host_report *report = report_dup(view->report);
    free(report->over);
    report->over_count = over_count;
    report->over = mem_calloc(over_count, sizeof *report->over);
    if (over_count)
        memcpy(report->over, over, over_count * sizeof *over);
    core_change(core, tx, RECORD_REPORT, view->report, report);
    for (size_t i = 0; i < count; i++)
        say(core, call, tx, report->host, &told[i], news[i]);
}
