/* The gate's state changes in gate_transition alone. Used by one thread. */
#include "discord/rate_limiter_gate.h"

#include <assert.h>

static const bool allowed[][GATE_PROBING + 1] = {
    [GATE_OPEN] = { [GATE_SHUT] = true },
    [GATE_SHUT] = { [GATE_SHUT] = true, [GATE_PROBING] = true },
    [GATE_PROBING] = { [GATE_SHUT] = true, [GATE_OPEN] = true },
};

static void gate_transition(struct gate *gate, enum gate_state state)
{
    assert(allowed[gate->state][state]);
    gate->state = state;
    gate->has_probe = false;
}

void gate_shut(struct gate *gate, int64_t until_us)
{
    if (gate->state != GATE_SHUT || until_us > gate->shut_until_us)
        gate->shut_until_us = until_us;
    gate_transition(gate, GATE_SHUT);
}

bool gate_pass(struct gate *gate, int64_t now_us, bool *is_probe)
{
    *is_probe = false;
    if (gate->state == GATE_OPEN)
        return true;
    if (now_us < gate_opens_us(gate))
        return false;
    if (gate->state == GATE_SHUT)
        gate_transition(gate, GATE_PROBING);
    gate->has_probe = true;
    *is_probe = true;
    return true;
}

void gate_probe_ended(struct gate *gate, bool was_heard)
{
    if (gate->state != GATE_PROBING)
        return; /* another request met the ban meanwhile */
    if (was_heard)
        gate_transition(gate, GATE_OPEN);
    else
        gate->has_probe = false;
}

int64_t gate_opens_us(const struct gate *gate)
{
    switch (gate->state) {
    case GATE_SHUT:
        return gate->shut_until_us;
    case GATE_PROBING:
        return gate->has_probe ? INT64_MAX : INT64_MIN;
    default:
        return INT64_MIN;
    }
}
