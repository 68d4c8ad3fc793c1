// Masquerading of what overlay pods send out of the cluster: a table `strata` of the kernel's
// nftables. Blocks (thread pool only).
#pragma once

#include <stddef.h>

#include "ctrl/model/object.h"
#include "ctrl/node/link.h"

// Replaces the whole table in one transaction: packets that came in by host_ifname, with a source in `nat` (Subnets
// with autoNatOutgoing) and a destination outside `cluster` (all Subnets), are masqueraded.
int nat_set(const char *host_ifname, const struct cidr *nat, size_t n_nat,
	const struct cidr *cluster, size_t n_cluster, char why[LINK_WHY_MAX]);
// Removes the table. 0 also if there is none.
int nat_clear(char why[LINK_WHY_MAX]);
