// The ledger of admitted changes: Networks and Subnets that a replica said yes to, but that a list
// may not show yet. It is an annotation of a Lease that every replica reads before it looks and
// writes, conditionally, before it says yes: so changes are admitted one after the other, in the
// whole cluster. Pure: the Lease's JSON in and out; time is handed in.
#pragma once

#include <stdint.h>

#include "ctrl/manager/facts.h"

#define LEDGER_NAME "strata-admission"
#define LEDGER_ANNOTATION "strata.networking.alibaba.com/admitted"
// How long the API server may take to store what was admitted, other webhooks and all.
#define LEDGER_KEEP_MS 15000
#define LEDGER_ENTRIES_MAX 128
#define LEDGER_TEXT_MAX (128 * 1024) // annotations of an object have 256 KiB in all
#define LEDGER_ENTRY_MAX (8 * 1024)

// Adds to f what the Lease (NULL: there is none yet) says was admitted and is not listed. For a new
// Subnet, removes the Network whose deletion was admitted. 0, -ENOMEM.
int ledger_apply(const cJSON *lease, const struct review *r, uint64_t now_ms, struct facts *f);
// The Lease to be written when r is admitted: owned by the caller. -ENOSPC if there are too many
// changes at a time.
int ledger_note(const cJSON *lease, const char *namespace, const struct review *r, uint64_t now_ms,
	cJSON **ret_lease);
// Whether admitting r is to be noted.
bool ledger_takes(const struct review *r);
