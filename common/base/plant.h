/* SPDX-License-Identifier: Apache-2.0 */
/* Plantable bugs: places where the product can be broken on purpose, to show
 * that the simulation finds it. PLANT(NAME) is constant false, and costs nothing,
 * everywhere but in the copy of the code that sriov-sim is built from
 * (SRIOV_PLANT, tests/sim/CMakeLists.txt).
 */
#pragma once

/* X(NAME, text, what the product then does wrong) */
#define PLANTS(X)                                                              \
    X(NONE, "none", "nothing")                                                 \
    X(NO_READ_BACK, "no-read-back",                                            \
      "the agent tells a policy applied without reading it back")              \
    X(FREE_BEFORE_CLEAN, "free-before-clean",                                  \
      "the agent gives a VF up when it has written, not when it reads clean")  \
    X(ACT_BEFORE_DURABLE, "act-before-durable",                                \
      "the agent touches a VF before its state is on disk")                    \
    X(PF_BEFORE_DURABLE, "pf-before-durable",                                  \
      "the agent changes a PF before the way back is on disk")                 \
    X(NO_HOLD, "no-hold",                                                      \
      "the agent holds no MAC on the uplink's PF for a virtio leg")            \
    X(NO_UNDO, "no-undo",                                                      \
      "the agent rejects a PF's change that nobody confirmed, and leaves it")  \
    X(OLD_EPOCH, "old-epoch", "the agent accepts documents of an older epoch") \
    X(ABSENCE_IS_AN_ORDER, "absence-is-an-order",                              \
      "the agent cleans what a full document lacks")                           \
    X(ACK_BEFORE_DURABLE, "ack-before-durable",                                \
      "the scheduler answers though the commit failed")                        \
    X(FIRST_ABSENT_FREES, "first-absent-frees",                                \
      "the scheduler forgets a VM when the first of its ports is absent")      \
    X(EPOCH_STAYS, "epoch-stays", "the scheduler starts under the old epoch")

enum plant {
#define X(name, text, what) PLANT_##name,
    PLANTS(X)
#undef X
};

#ifdef SRIOV_PLANT
extern enum plant plant_active;
#define PLANT(name) (plant_active == PLANT_##name)
#else
#define PLANT(name) 0
#endif
