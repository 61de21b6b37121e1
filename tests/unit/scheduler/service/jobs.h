/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs for the tests of the writer and the service: each remembers how it was
 * answered. */
#pragma once

#include "common/base/mem.h"
#include "common/base/str.h"
#include "scheduler/service/job.h"
#include "tests/unit/scheduler/core/fixture.h"

struct test_job {
    struct job job;
    char name[NAME_SIZE];
    struct observed *observed; /* for report_job; borrowed */
    struct vm_request request; /* for vm_job */
    struct vm *vm;
    struct placement_reasons reasons;
    bool repeated;
    bool fails_after; /* make the change, then fail */
    atomic_int answers;
    struct error error; /* of the answer; NONE = it was done */
    bool published;     /* at the answer, the snapshot had the host 'name' */
};

static inline void on_answer(struct job *job, struct snapshot *snapshot,
                             const struct error *err)
{
    struct test_job *test = (struct test_job *)job;
    if (err)
        test->error = *err;
    test->published = snapshot && snapshot_host(snapshot, test->name);
    atomic_fetch_add(&test->answers, 1);
}

static inline int run_enroll(struct job *job, struct core *core,
                             const struct core_call *call, struct tx *tx,
                             struct error *err)
{
    struct test_job *test = (struct test_job *)job;
    uint8_t hash[32];
    bool renewed = false;
    hash_of(test->name, hash);
    if (core_host_enroll(core, call, test->name, hash, tx, &renewed, err) < 0)
        return -1;
    return test->fails_after
               ? error_set(err, ERROR_CONFLICT, "after the change")
               : 0;
}

static inline struct test_job enroll_job(const char *name)
{
    struct test_job test = {.job = {.run = run_enroll, .answer = on_answer}};
    str_copy(test.name, name);
    return test;
}

static inline int run_report(struct job *job, struct core *core,
                             const struct core_call *call, struct tx *tx,
                             struct error *err)
{
    struct test_job *test = (struct test_job *)job;
    return core_observe(core, call, test->name, test->observed, tx, err);
}

static inline struct test_job report_job(const char *name,
                                         struct observed *observed)
{
    struct test_job test = {.job = {.run = run_report, .answer = on_answer},
                            .observed = observed};
    str_copy(test.name, name);
    return test;
}

static inline int run_allow(struct job *job, struct core *core,
                            const struct core_call *call, struct tx *tx,
                            struct error *err)
{
    struct test_job *test = (struct test_job *)job;
    struct pf_key key = key_of("0000:3b:00.0");
    struct pf_patch patch = {
        .has_allowed = true,
        .allowed = true,
        .has_physical_network = true,
        .physical_network = "physnet0",
    };
    return core_pf_patch(core, call, test->name, &key, &patch, tx, err);
}

static inline struct test_job allow_job(const char *name)
{
    struct test_job test = {.job = {.run = run_allow, .answer = on_answer}};
    str_copy(test.name, name);
    return test;
}

static inline int run_vm(struct job *job, struct core *core,
                         const struct core_call *call, struct tx *tx,
                         struct error *err)
{
    struct test_job *test = (struct test_job *)job;
    return core_vm_create(core, call, &test->request, tx, &test->vm,
                          &test->repeated, &test->reasons, err);
}

static inline struct test_job vm_job(const char *name)
{
    struct test_job test = {.job = {.run = run_vm, .answer = on_answer},
                            .request = vm_request(name, 1)};
    str_copy(test.name, name);
    return test;
}

/* A full report of a host with one PF of four VFs. */
static inline struct observed *make_report(const char *host, uint8_t machine,
                                           uint64_t sequence)
{
    struct pf_spec spec = {.key = "0000:3b:00.0", IGB, .vfs = 4};
    struct observed *observed = observed_new(0, 0, 0, 0);
    str_copy(observed->host, host);
    observed->machine_id.bytes[0] = machine;
    observed->boot_id.bytes[0] = machine;
    observed->incarnation = 1;
    observed->sequence = sequence;
    observed->full = true;
    observed->inventory = inventory_new(1, 0, 0);
    observed->inventory->machine_id = observed->machine_id;
    observed->inventory->kernel = "6.1.0";
    observed->inventory->vcpus = 64;
    observed->inventory->memory_mib = 65536;
    observed->inventory->pfs[0] = make_pf(&spec);
    return observed;
}
