// Address management against the obvious one: arrays that are walked from end to end. Random
// operations on a few Subnets whose ranges lie across the border of two chunks of the bitmap; after
// each, what was answered and what is counted must be the same. STRATA_SEED replays a run.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "objects.h"

#define N_SUBNETS 6
#define N_ADDRESSES 48 // that exist for the test in a Subnet, in its range or not
#define N_OWNERS 40
#define FIRST 0xfe8 // of them, the low 16 bits: 24 before the border of a chunk, 24 behind
#define N_OPERATIONS 20000

struct plain {
	bool exists, private;
	int start, end, gateway; // gateway -1: none
	bool excluded[N_ADDRESSES], reserved[N_ADDRESSES];
	int owner[N_ADDRESSES]; // 0: free
	int cursor; // -1: none
};

static struct plain plains[N_SUBNETS]; // the first half is IPv4
static int last[2]; // Subnet of each ring, -1: none

static bool is_v4(int s)
{
	return s < N_SUBNETS / 2;
}

static const char *address(int s, int i, char buf[IP_TEXT_MAX])
{
	if (is_v4(s))
		(void)snprintf(
			buf, IP_TEXT_MAX, "10.%d.%d.%d", s, (FIRST + i) >> 8, (FIRST + i) & 0xff);
	else
		(void)snprintf(buf, IP_TEXT_MAX, "fd00:%d::%x", s, FIRST + i);
	return buf;
}

static const char *name(int s)
{
	static const char *const names[N_SUBNETS] = {"a", "b", "c", "d", "e", "f"};

	return names[s];
}

// ── The obvious implementation ─────────────────────────────────────────────────────────────────

static bool contains(const struct plain *p, int i)
{
	return i >= p->start && i <= p->end && i != p->gateway && !p->excluded[i];
}

static void count(const struct plain *p, int *ret_total, int *ret_used)
{
	*ret_total = *ret_used = 0;
	for (int i = 0; i < N_ADDRESSES; i++) {
		if (contains(p, i) && !p->reserved[i]) {
			++*ret_total;
			*ret_used += p->owner[i] != 0;
		}
	}
}

static int next_address(const struct plain *p)
{
	int from = p->cursor >= p->start && p->cursor < p->end ? p->cursor + 1 : p->start;
	int n = p->end - p->start + 1;

	for (int k = 0; k < n; k++) {
		int i = p->start + (from - p->start + k) % n;
		if (contains(p, i) && !p->reserved[i] && p->owner[i] == 0)
			return i;
	}
	return -1;
}

static int next_in_ring(int ring)
{
	int first = ring * N_SUBNETS / 2;
	int current = last[ring] >= 0 && plains[last[ring]].exists ? last[ring] - first : 0;

	for (int k = 0; k < N_SUBNETS / 2; k++) {
		int s = first + (current + k) % (N_SUBNETS / 2);
		if (plains[s].exists && !plains[s].private && next_address(&plains[s]) >= 0)
			return s;
	}
	return -1;
}

// ── Operations on both ─────────────────────────────────────────────────────────────────────────

static int below(int n)
{
	return (int)(random() % n);
}

static const char *owner_name(int owner)
{
	static char buf[32];

	(void)snprintf(buf, sizeof(buf), "ns/pod-%d", owner);
	return buf;
}

static void append_list(char *text, int s, const char *field, const bool set[N_ADDRESSES])
{
	char buf[IP_TEXT_MAX];
	const char *separator = "";

	strcat(strcat(strcat(text, ",\""), field), "\":[");
	for (int i = 0; i < N_ADDRESSES; i++) {
		if (!set[i])
			continue;
		strcat(strcat(strcat(strcat(text, separator), "\""), address(s, i, buf)), "\"");
		separator = ",";
	}
	strcat(text, "]");
}

static void put(struct ipam *ipam, int s)
{
	struct plain *p = &plains[s];
	char range[4096], error[IPAM_ERROR_MAX], start[IP_TEXT_MAX], end[IP_TEXT_MAX];

	if (!p->exists) {
		memset(p->owner, 0, sizeof(p->owner));
		p->cursor = -1;
		p->exists = true;
	}
	p->private = below(5) == 0;
	p->start = below(N_ADDRESSES);
	p->end = p->start + below(N_ADDRESSES - p->start);
	p->gateway = below(N_ADDRESSES + 10) - 10;
	p->gateway = p->gateway < 0 ? -1 : p->gateway;
	for (int i = 0; i < N_ADDRESSES; i++) {
		p->excluded[i] = below(10) == 0;
		p->reserved[i] = below(10) == 0;
	}
	(void)snprintf(range, sizeof(range),
		is_v4(s) ? "\"cidr\":\"10.%d.0.0/16\"" : "\"cidr\":\"fd00:%d::/64\"", s);
	(void)snprintf(range + strlen(range), sizeof(range) - strlen(range),
		",\"start\":\"%s\",\"end\":\"%s\"", address(s, p->start, start),
		address(s, p->end, end));
	if (p->gateway >= 0)
		(void)snprintf(range + strlen(range), sizeof(range) - strlen(range),
			",\"gateway\":\"%s\"", address(s, p->gateway, start));
	append_list(range, s, "excludeIPs", p->excluded);
	append_list(range, s, "reservedIPs", p->reserved);
	assert_int_equal(put_subnet_private(ipam, name(s), "net", range, p->private, error), 0);
}

static void del(struct ipam *ipam, int s)
{
	ipam_del_subnet(ipam, name(s));
	plains[s].exists = false;
}

static void use(struct ipam *ipam, int s)
{
	struct plain *p = &plains[s];
	int i = below(N_ADDRESSES), owner = 1 + below(N_OWNERS);
	char buf[IP_TEXT_MAX];
	struct in6_addr ip = ip_of(address(s, i, buf));
	int want = !p->exists ? -ENOENT : p->owner[i] != 0 && p->owner[i] != owner ? -EEXIST : 0;

	assert_int_equal(ipam_use(ipam, name(s), &ip, owner_name(owner)), want);
	if (want == 0)
		p->owner[i] = owner;
}

static void release(struct ipam *ipam, int s)
{
	int i = below(N_ADDRESSES);
	char buf[IP_TEXT_MAX];
	struct in6_addr ip = ip_of(address(s, i, buf));

	ipam_release(ipam, name(s), &ip);
	if (plains[s].exists)
		plains[s].owner[i] = 0;
}

static void assign(struct ipam *ipam, int s)
{
	struct plain *p = &plains[s];
	int i = below(N_ADDRESSES), owner = 1 + below(N_OWNERS);
	bool named = below(2) == 0;
	char buf[IP_TEXT_MAX], error[IPAM_ERROR_MAX];
	struct in6_addr ip = ip_of(address(s, i, buf));
	struct ipam_address a;
	int want = 0;

	if (!p->exists || !contains(p, i))
		want = -ENOENT;
	else if (p->owner[i] != 0 && p->owner[i] != owner)
		want = -EEXIST;
	assert_int_equal(
		ipam_assign(ipam, "net", named ? name(s) : NULL, &ip, owner_name(owner), &a, error),
		want);
	if (want < 0)
		return;
	p->owner[i] = owner;
	assert_int_equal(ip_cmp(&a.ip.ip, &ip), 0);
	assert_string_equal(a.subnet, name(s));
}

// The address that a ring must give: named is a Subnet or -1. False if it has none.
static bool expect(int ring, int named, int *ret_s, int *ret_i)
{
	int s = named >= 0 ? named : next_in_ring(ring);

	if (s < 0 || !plains[s].exists || is_v4(s) != (ring == 0))
		return false;
	*ret_s = s;
	*ret_i = next_address(&plains[s]);
	return *ret_i >= 0;
}

static void allocate(struct ipam *ipam)
{
	enum ip_family family = (enum ip_family)below(3);
	int rings[2] = {family == IP_FAMILY_IPV6 ? 1 : 0, 1},
	    n = family == IP_FAMILY_DUAL_STACK ? 2 : 1;
	bool naming = below(3) == 0, possible = true;
	int named[2] = {-1, -1}, s[2], i[2], owner = 1 + below(N_OWNERS);
	struct ipam_address a[2];
	char error[IPAM_ERROR_MAX], buf[IP_TEXT_MAX];
	size_t got_n = 0;

	for (int k = 0; k < n; k++) {
		if (naming)
			named[rings[k]] = below(N_SUBNETS);
		possible = expect(rings[k], named[rings[k]], &s[k], &i[k]) && possible;
	}
	int ret = ipam_allocate(ipam, "net", family, named[0] >= 0 ? name(named[0]) : NULL,
		named[1] >= 0 ? name(named[1]) : NULL, owner_name(owner), a, &got_n, error);
	assert_int_equal(ret == 0, possible);
	for (int k = 0; possible && k < n; k++) {
		struct in6_addr want = ip_of(address(s[k], i[k], buf));
		assert_string_equal(a[k].subnet, name(s[k]));
		assert_int_equal(ip_cmp(&a[k].ip.ip, &want), 0);
		plains[s[k]].owner[i[k]] = owner;
		plains[s[k]].cursor = i[k];
		if (named[rings[k]] < 0)
			last[rings[k]] = s[k];
	}
	assert_int_equal(got_n, possible ? n : 0);
}

static void assert_same(const struct ipam *ipam)
{
	for (int s = 0; s < N_SUBNETS; s++) {
		struct ipam_usage usage;
		char buf[IP_TEXT_MAX];
		int total, used;

		assert_int_equal(
			ipam_subnet_usage(ipam, name(s), &usage), plains[s].exists ? 0 : -ENOENT);
		if (!plains[s].exists)
			continue;
		count(&plains[s], &total, &used);
		assert_int_equal(usage.count.total, total);
		assert_int_equal(usage.count.used, used);
		assert_int_equal(usage.count.available, total - used);
		assert_string_equal(usage.last_allocated,
			plains[s].cursor >= 0 ? address(s, plains[s].cursor, buf) : "");
	}
}

static void random_operations_end_as_in_plain_arrays(void **)
{
	const char *given = getenv("STRATA_SEED");
	unsigned int seed =
		given != NULL ? (unsigned int)strtoul(given, NULL, 10) : (unsigned int)time(NULL);
	struct ipam *ipam = ipam_new();

	print_message("STRATA_SEED=%u\n", seed);
	srandom(seed);
	last[0] = last[1] = -1;
	put_network(ipam, "net", "\"type\":\"Overlay\",\"netID\":4", "");
	for (int k = 0; k < N_OPERATIONS; k++) {
		int s = below(N_SUBNETS), what = below(100);

		if (what < 4)
			put(ipam, s);
		else if (what < 5)
			del(ipam, s);
		else if (what < 15)
			use(ipam, s);
		else if (what < 55)
			release(ipam, s);
		else if (what < 65)
			assign(ipam, s);
		else
			allocate(ipam);
		assert_same(ipam);
	}
	ipam_free(ipam);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_end_as_in_plain_arrays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
