// The annotations that give the pods of a stateful workload addresses by their ordinal: ip-pool and
// mac-pool. Pure; manager and webhook read them alike.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_ERROR_MAX 256

// The number after the last dash of a pod's name; INT32_MAX if there is none.
int32_t pool_ordinal(const char *pod_name);
// The element of that ordinal: one address, or two as in "10.0.0.1/fd00::1". False with error in
// hybridnet's words.
bool pool_ips(const char *pool, int32_t ordinal, struct in6_addr ret_ip[2], size_t *ret_n,
	char error[POOL_ERROR_MAX]);
bool pool_mac(const char *pool, int32_t ordinal, uint8_t ret_mac[6], char error[POOL_ERROR_MAX]);
